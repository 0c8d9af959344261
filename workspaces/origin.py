"""Where a request comes from."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import re
from typing import TYPE_CHECKING

from allauth.account.adapter import get_adapter
from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest

if TYPE_CHECKING:
    from workspaces.models import User

BROWSERS = ("Edg", "OPR", "Firefox", "Chrome", "Safari")
SYSTEMS = ("iPhone", "iPad", "Android", "Windows", "Macintosh", "Linux")


def person_of(request: HttpRequest | None) -> User | None:
    """Who asks: the person logged in, or behind a key; nobody for a command or an operator's key."""
    return request.user if request and request.user.is_authenticated else None


def client_ip(request: HttpRequest) -> str:
    """The address of the client, believing as many proxies as TRUSTED_PROXIES says; or nothing."""
    try:
        return get_adapter().get_client_ip(request)
    except PermissionDenied:  # no address, as on a Unix socket without a trusted proxy
        return ""


def user_agent(request: HttpRequest) -> str:
    return request.headers.get("User-Agent", "")[:300]


def browser_name(agent: str) -> str:
    """“Firefox on Linux”: what a person recognises, from what a browser says of itself."""
    browser = next((name for name in BROWSERS if name in agent), "")
    browser = {"Edg": "Edge", "OPR": "Opera"}.get(browser, browser)
    system = next((name for name in SYSTEMS if name in agent), "")
    system = {"Macintosh": "macOS"}.get(system, system)
    if browser and system:
        return f"{browser} on {system}"
    return browser or system or re.split(r"[/\s]", agent)[0][:40] or "an unknown client"


def place_digest(request: HttpRequest) -> str:
    """A place: the network (IPv4 /24, IPv6 /48) and the kind of browser, as a keyed digest."""
    place = f"{network_of(request)}|{browser_name(user_agent(request))}"
    key = f"stackmemory.place:{settings.SECRET_KEY}".encode()
    return hmac.new(key, place.encode(), hashlib.sha256).hexdigest()


def network_of(request: HttpRequest) -> str:
    """The client's network: an IPv4 /24 or an IPv6 /48."""
    ip = client_ip(request)
    try:
        bits = 24 if ipaddress.ip_address(ip).version == 4 else 48
    except ValueError:
        return ip
    return str(ipaddress.ip_network(f"{ip}/{bits}", strict=False))
