"""{% load browsers %}: what a browser says of itself, in words."""

from __future__ import annotations

from django import template

from workspaces.origin import browser_name

register = template.Library()
register.filter("browser", browser_name)
