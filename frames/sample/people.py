"""Who and what the sample is about: a company that ships parcels for online shops."""

from __future__ import annotations

# nickname, e-mail, name, role. `me` is the owner of the workspace the sample is loaded into.
PEOPLE = (
    ("maya", "maya@example.com", "Maya Lindqvist", "admin"),
    ("tomas", "tomas@example.com", "Tomás Ortega", "member"),
    ("priya", "priya@example.com", "Priya Raman", "member"),
    ("jonas", "jonas@example.com", "Jonas Weber", "member"),
)

HOSTS = {
    "me": "robin-mbp",
    "maya": "maya-mbp14",
    "tomas": "ortega-thinkpad",
    "priya": "priya-ws",
    "jonas": "jonas-mba",
}

# slug, name, repository, the id local stores knew it by
PROJECTS = (
    (
        "dispatch-api",
        "Dispatch API",
        "https://github.com/tidewater-example/dispatch-api",
        "https---github-com-tidewater-example-dispatch-api",
    ),
    (
        "dispatch-web",
        "Dispatch Web",
        "https://github.com/tidewater-example/dispatch-web",
        "https---github-com-tidewater-example-dispatch-web",
    ),
    (
        "platform",
        "Platform",
        "https://github.com/tidewater-example/platform",
        "https---github-com-tidewater-example-platform",
    ),
)
