"""Who may do what: every route, and what it asks of whom. test_access.py walks it.

To add a route, add a line: its name, and for each method it offers what it asks:

- "public": anybody;
- "person": anybody who is logged in;
- "staff": operators, in the admin;
- "key": whoever shows an API key; a login opens nothing (tests/test_mcp_keys.py tries the keys);
- a permission of workspaces/access.py ("read", "write", "import", …): members whose role has it.

A method that is not listed must be refused.
"""

from __future__ import annotations

GET, POST = "GET", "POST"


def get(level: str) -> dict[str, str]:
    return {GET: level}


def post(level: str) -> dict[str, str]:
    return {POST: level}


def both(read: str, write: str) -> dict[str, str]:
    return {GET: read, POST: write}


# Whole namespaces that are guarded in one place.
NAMESPACES: dict[str, dict[str, str]] = {
    # tried with keys instead of logins, in tests/api/test_access.py
    "api": {},
    "admin": both("staff", "staff"),
}

ROUTES: dict[str, dict[str, str]] = {
    # programs without anybody's data, for machines to fetch
    "hook-script": get("public"),
    "command": get("public"),
    # agents
    "mcp": post("key"),
    "mcp-project": post("key"),
    # news of a workspace as they happen
    "stream": get("read"),
    "frames:now": get("read"),
    "operations": get("staff"),
    # workspaces/urls.py: people
    "workspaces:start": get("person"),
    "workspaces:list": get("person"),
    "workspaces:new": both("person", "person"),
    # an archive is its person's own (tests/moving/test_arrivals.py)
    "arrivals": both("person", "person"),
    "arrivals-progress": get("person"),
    "arrival-cancellation": post("own"),
    "workspaces:account": both("person", "person"),
    "workspaces:invitation": both("public", "public"),
    # these two name things by id outside of a workspace; test_access.py has their own tests
    "workspaces:restore": post("own"),
    "workspaces:session-end": post("own"),
    # workspaces/urls.py: inside a workspace
    "workspaces:settings": both("read", "settings"),
    "workspaces:leave": both("read", "read"),
    "workspaces:transfer": post("transfer"),
    "workspaces:delete": post("delete"),
    "workspaces:members": get("read"),
    "workspaces:member-role": post("members"),
    "workspaces:member-remove": both("members", "members"),
    "workspaces:invite": post("members"),
    "workspaces:invitation-resend": post("members"),
    "workspaces:invitation-revoke": post("members"),
    "workspaces:keys": get("keys"),
    "workspaces:key-create": post("keys"),
    "workspaces:key-rotate": post("keys"),
    "workspaces:key-revoke": post("keys"),
    "workspaces:audit": get("audit"),
    "workspaces:audit-export": post("audit"),
    # stackmemory/exports: a person's own
    "account-data": both("person", "person"),
    "exports": both("export", "export"),
    "exports-progress": get("export"),
    "export-file": get("own"),
    "export-cancellation": post("own"),
    # stackmemory/erasing: of one's own private frames and runs members, too
    "member-erasure": both("members", "members"),
    "account-erasure": both("person", "person"),
    "frame-erasure": both("erase", "erase"),
    "session-erasure": both("erase", "erase"),
    # frames/urls.py
    "frames:redaction": both("settings", "settings"),
    "frames:home": get("read"),
    "frames:projects": get("read"),
    "frames:project": get("read"),
    "frames:scoring": both("read", "settings"),
    "frames:retention": both("read", "settings"),
    "frames:sessions": get("read"),
    "frames:session": get("read"),
    "frames:session-events": get("read"),
    "frames:anchors": get("read"),
    "frames:tasks": get("read"),
    "frames:usage": get("read"),
    # search/urls.py; a saved search is its person's alone
    "search:search": get("read"),
    "search:save": post("read"),
    "search:forget": post("own"),
    "search:context": get("read"),
    "search:context-mark": post("write"),
    "search:contexts": get("read"),
    "search:context-new": post("read"),
    "frames:frame": get("read"),
    "frames:frame-children": get("read"),
    "frames:frame-events": get("read"),
    "frames:frame-event": get("read"),
    "frames:connect": get("write"),
    "frames:connect-key": post("keys"),
    "frames:connect-status": get("write"),
    "frames:imports": get("read"),
    "frames:import": get("read"),
    "frames:import-progress": get("read"),
    "frames:import-item": get("read"),
    "frames:import-new": both("import", "import"),
    "frames:import-cancellation": post("import"),
    "frames:import-retry": post("import"),
    # the admin's own way in, which leads to ours; its other routes are guarded as one
    "admin:login": both("public", "public"),
    "admin:logout": post("public"),
    # allauth: getting in
    "account_login": both("public", "public"),
    "account_logout": both("public", "public"),
    "account_inactive": get("public"),
    "account_signup": both("public", "public"),
    "account_email_verification_sent": get("public"),
    "account_confirm_email": both("public", "public"),
    "account_reset_password": both("public", "public"),
    "account_reset_password_done": get("public"),
    "account_reset_password_from_key": both("public", "public"),
    "account_reset_password_from_key_done": get("public"),
    "account_confirm_login_code": both("public", "public"),
    "mfa_authenticate": both("public", "public"),
    "mfa_login_webauthn": both("public", "public"),
    "socialaccount_login_cancelled": get("public"),
    "socialaccount_login_error": get("public"),
    "socialaccount_signup": both("public", "public"),
    # allauth: one's own account
    "account_reauthenticate": both("person", "person"),
    "account_email": both("person", "person"),
    "account_change_password": both("person", "person"),
    "account_set_password": both("person", "person"),
    "socialaccount_connections": both("person", "person"),
    "usersessions_list": both("person", "person"),
    "mfa_index": get("person"),
    "mfa_reauthenticate": both("person", "person"),
    "mfa_activate_totp": both("person", "person"),
    "mfa_deactivate_totp": both("person", "person"),
    "mfa_view_recovery_codes": get("person"),
    "mfa_generate_recovery_codes": both("person", "person"),
    "mfa_download_recovery_codes": get("person"),
    "mfa_list_webauthn": get("person"),
    "mfa_add_webauthn": both("person", "person"),
    "mfa_reauthenticate_webauthn": both("person", "person"),
    "mfa_remove_webauthn": both("person", "person"),
    "mfa_edit_webauthn": both("person", "person"),
    # allauth: old addresses, which only redirect; they have no names
    "account/social/login/cancelled/": both("public", "public"),
    "account/social/login/error/": both("public", "public"),
    "account/social/signup/": both("public", "public"),
    "account/social/connections/": both("public", "public"),
}

# MCP's tools, and the permission a key needs to see and call them. test_mcp_keys.py walks them.
TOOLS: dict[str, str] = {
    "start_frame": "write",
    "close_frame": "write",
    "hand_off": "write",
    "append_events": "write",
    "add_anchor": "write",
    "add_decision": "write",
    "create_task": "write",
    "update_task_status": "write",
    "get_hot_stack": "read",
    "list_frames": "read",
    "get_frame": "read",
    "get_timeline": "read",
    "get_active_tasks": "read",
    "get_task_metrics": "read",
    "search": "read",
    "sm_search": "read",
    "fetch": "read",
    "get_context": "read",
}
