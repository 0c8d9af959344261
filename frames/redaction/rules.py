"""The secrets that can be known by their own look or by what stands right before them.

Each rule has a trigger, a short case-blind pattern that is there whenever the rule could match; all
triggers are looked for in one pass. Patterns are RE2's, over text that may be JSON: an escape such
as `\\n` may stand before a secret, so `\\b` would miss it and LEFT is used instead.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import re2

from frames.redaction import judging
from frames.redaction.splice import Span

LEFT = r"(?:^|[^A-Za-z0-9_]|\\[bfnrt]|\\u[0-9A-Fa-f]{4}|%[0-9A-Fa-f]{2})"
QUOTE = r"\\*[\"'`]?"
# Line ends in a text, in JSON, and in JSON inside JSON.
BREAK = r"(?:\s|\\+[nr])"
Check = Callable[[bytes, bytes, int], bool]


@dataclass(frozen=True)
class Rule:
    """The first group is the secret. `check(value, text, start)` may spare it."""

    kind: str
    trigger: str
    pattern: str
    check: Check | None = None
    rank: int = 10

    @cached_property
    def regexp(self) -> Any:
        return re2.compile(self.pattern)

    def find(self, data: bytes) -> Iterator[Span]:
        for match in self.regexp.finditer(data):
            start, end = match.span(1)
            value = data[start : min(end, start + judging.ENOUGH)]
            if self.check is None or self.check(value, data, start):
                yield Span(start, end, self.kind, self.rank)


def token(kind: str, trigger: str, pattern: str, check: Check | None = None) -> Rule:
    """A secret with a look of its own."""
    return Rule(kind, trigger, f"{LEFT}({pattern})", check)


BASE64URL = r"[A-Za-z0-9_-]"

RULES: tuple[Rule, ...] = (
    # keys of clouds
    token("aws-access-key", "akia|asia|abia|acca", r"(?:AKIA|ASIA|ABIA|ACCA)[A-Z2-7]{16}", judging.spoken),
    Rule(
        "aws-secret-key",
        r"secret_?(?:access_?)?key",
        r"(?i)secret_?(?:access_?)?key" + QUOTE + r"\s*(?:=>|:=|=|:)?\s*" + QUOTE
        + r"([a-z0-9/+]{40})(?:[^a-z0-9/+=]|$)",
        judging.mixed,
    ),
    token("google-api-key", "aiza", r"AIza[0-9A-Za-z_-]{35}"),
    token("google-oauth", r"ya29\.|gocspx-", r"(?:ya29\.[0-9A-Za-z_-]{20,}|GOCSPX-[0-9A-Za-z_-]{20,})"),
    Rule(
        "azure-key",
        r"accountkey=|sharedaccesskey=",
        r"(?i)(?:AccountKey|SharedAccessKey)=([A-Za-z0-9+/]{40,90}={0,2})",
    ),
    Rule("azure-sas", r"[?&;]sig=", r"(?i)[?&;]sig=([A-Za-z0-9%+/_-]{38,120}(?:=|%3D){0,2})", judging.mixed),
    token("azure-secret", r"[0-9]q~", r"[A-Za-z0-9_~.-]{3}[0-9]Q~[A-Za-z0-9_~.-]{31,34}"),
    token("alibaba-key", "ltai", r"LTAI[A-Za-z0-9]{20}", judging.mixed),
    token("digitalocean-token", r"do[opr]_v1_", r"do[opr]_v1_[a-f0-9]{64}"),
    token("cloudflare-key", r"v1\.0-", r"v1\.0-[a-f0-9]{24}-[a-f0-9]{146}"),
    token("heroku-key", "hrku-", r"HRKU-[A-Za-z0-9_-]{30,}"),
    token("fly-token", r"fm[12][ar]?_", r"fm[12][ar]?_[A-Za-z0-9+/_-]{80,}={0,2}"),
    # keys of models
    token("anthropic-key", "sk-ant-", rf"sk-ant-[a-z0-9]+-{BASE64URL}{{20,}}"),
    token(
        "openai-key",
        r"(?:^|[^a-z0-9_]|\\[nrt])(?:sk-(?:proj|svcacct|admin|or)-|sk-[a-z0-9]{32}|sess-)",
        rf"(?:sk-(?:proj|svcacct|admin|or-v1)-{BASE64URL}{{20,}}|sk-[A-Za-z0-9]{{32,}}|sess-[A-Za-z0-9]{{40}})",
        judging.mixed,
    ),
    token("huggingface-token", r"hf_[a-z0-9]{8}|api_org_", r"(?:hf|api_org)_[A-Za-z0-9]{30,}", judging.mixed_case),
    token("groq-key", "gsk_", r"gsk_[A-Za-z0-9]{40,}"),
    token("xai-key", "xai-", r"xai-[A-Za-z0-9]{60,}"),
    token("perplexity-key", "pplx-", r"pplx-[A-Za-z0-9]{40,}"),
    token("replicate-token", "r8_", r"r8_[A-Za-z0-9]{37,40}"),
    # tokens of forges and registries
    token("github-token", r"gh[pousr]_|github_pat_", r"(?:gh[pousr]_[A-Za-z0-9]{36,255}|github_pat_[A-Za-z0-9_]{40,255})"),
    token("gitlab-token", r"gl[a-z]{2,5}-", rf"gl(?:pat|dt|rt|cbt|ptt|ft|soat|agent|oas|imt)-{BASE64URL}{{20,}}"),
    token("bitbucket-token", "atbb|atctt", r"(?:ATBB[A-Za-z0-9]{28,}|ATCTT3xFf[A-Za-z0-9=_-]{60,})"),
    token("npm-token", "npm_", r"npm_[A-Za-z0-9]{36}", judging.mixed),
    token("pypi-token", "pypi-a", rf"pypi-A[gI]E{BASE64URL}{{50,}}"),
    token("rubygems-key", "rubygems_", r"rubygems_[a-f0-9]{48}"),
    token("crates-token", "cio", r"cio[A-Za-z0-9]{32}", judging.mixed_case),
    token("docker-token", "dckr_", r"dckr_(?:pat|oat)_[A-Za-z0-9_-]{20,}"),
    # services
    token("slack-token", r"xox[abeoprs]-|xapp-", r"(?:xox[abeoprs]-[0-9A-Za-z-]{10,}|xapp-[0-9]-[A-Z0-9]+-[0-9]+-[a-z0-9]+)", judging.has_digit),
    Rule("slack-webhook", "hooks.slack.com", r"hooks\.slack\.com/(?:services|workflows|triggers)/(T[A-Za-z0-9_/-]{20,})"),
    Rule("discord-webhook", "/api/webhooks/", r"discord(?:app)?\.com/api/webhooks/([0-9]{15,}/[A-Za-z0-9_-]{40,})"),
    token("discord-token", r"[mno][a-z0-9]{23,25}\.[a-z0-9_-]{6}\.", r"[MNO][A-Za-z0-9]{23,25}\.[A-Za-z0-9_-]{6}\.[A-Za-z0-9_-]{27,38}", judging.mixed_case),
    token("telegram-token", r"[0-9]:aa", r"[0-9]{8,10}:AA[A-Za-z0-9_-]{33}"),
    token("stripe-key", r"[sr]k_(?:live|test)_|whsec_", r"(?:[sr]k_(?:live|test)_[0-9A-Za-z]{16,}|whsec_[A-Za-z0-9+/]{24,}={0,2})", judging.has_digit),
    token("square-token", r"sq0[a-z]{3}-|eaaa", r"(?:sq0(?:atp|csp|idp)-[A-Za-z0-9_-]{22,43}|EAAA[A-Za-z0-9_-]{60})"),
    token("shopify-token", r"shp(?:at|ca|pa|ss)_", r"shp(?:at|ca|pa|ss)_[a-fA-F0-9]{32}"),
    token("sendgrid-key", r"sg\.[a-z0-9_-]{22}\.", r"SG\.[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43}"),
    token("twilio-key", r"sk[0-9a-f]{32}", r"SK[0-9a-f]{32}"),
    token("mailgun-key", r"key-[0-9a-z]{32}", r"key-[0-9a-f]{32}"),
    token("mailchimp-key", r"[0-9a-f]-us[0-9]", r"[0-9a-f]{32}-us[0-9]{1,2}"),
    token("linear-key", r"lin_(?:api|oauth|wh)_", r"lin_(?:api|oauth|wh)_[A-Za-z0-9]{32,}"),
    token("notion-token", r"ntn_|secret_[a-z0-9]{40}", r"(?:ntn_[A-Za-z0-9]{40,}|secret_[A-Za-z0-9]{43})", judging.mixed_case),
    token("figma-token", r"fig[dop][rha]?_", r"fig(?:d|or|oh|u)_[A-Za-z0-9_-]{40,}"),
    token("airtable-token", r"pat[a-z0-9]{14}\.", r"pat[A-Za-z0-9]{14}\.[a-f0-9]{64}"),
    token("atlassian-token", "atatt3", r"ATATT3[A-Za-z0-9_=-]{60,}"),
    token("sentry-token", r"sntry[su]_", r"sntry(?:s_eyJ[A-Za-z0-9+/=_]{50,}|u_[a-f0-9]{64})"),
    token("grafana-token", r"glsa_|glc_", r"(?:glsa_[A-Za-z0-9]{32}_[A-Fa-f0-9]{8}|glc_[A-Za-z0-9+/]{32,}={0,2})"),
    token("postman-key", "pmak-", r"PMAK-[a-f0-9]{24}-[a-f0-9]{34}"),
    token("databricks-token", r"dapi[a-f0-9]{8}", r"dapi[a-f0-9]{32}(?:-[0-9])?"),
    token("planetscale-token", "pscale_", r"pscale_(?:tkn|pw|oauth)_[A-Za-z0-9_.-]{32,}"),
    token("supabase-token", r"sbp_|sb_secret_", r"(?:sbp_[a-f0-9]{40}|sb_secret_[A-Za-z0-9_-]{20,})"),
    token("vault-token", r"hv[sbr]\.", r"hv[sbr]\.[A-Za-z0-9_-]{24,}", judging.mixed),
    token("terraform-token", r"\.atlasv1\.", r"[A-Za-z0-9]{14}\.atlasv1\.[A-Za-z0-9_=-]{60,}"),
    token("doppler-token", r"dp\.[a-z]{2,5}\.", r"dp\.(?:pt|st|ct|sa|scim|audit)\.[A-Za-z0-9_.-]{40,}"),
    token("newrelic-key", "nrak-", r"NRAK-[A-Z0-9]{27}"),
    token("artifactory-key", "akcp", r"AKCp[A-Za-z0-9]{60,}"),
    token("age-key", "age-secret-key-", r"AGE-SECRET-KEY-1[A-Z0-9]{58}"),
    token("stackmemory-key", r"sm_[0-9a-z]{10}_", r"sm_[0-9A-Za-z]{10}_[0-9A-Za-z]{38}"),
    # forms of secrets
    token("jwt", r"eyj[a-z0-9_-]+\.eyj", rf"eyJ{BASE64URL}{{8,}}\.eyJ{BASE64URL}{{8,}}(?:\.{BASE64URL}*)?"),
    Rule(
        "private-key",
        "private key",
        r"(-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----"
        # whole, or cut off after some lines; never across other dashes, so never far
        r"(?:(?:[^-]|-[^-])*-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----"
        rf"|(?:{BREAK}|[\"'+,]|[A-Za-z-]+: [^\n\\]*)*[A-Za-z0-9+/]{{20,}}(?:{BREAK}|[A-Za-z0-9+/=])*))",
        judging.has_key_body,
    ),
    Rule(
        "url-password",
        r"://[^/?#\s\"'<>@]*:[^/\s\"'<>@]*@",
        r"[A-Za-z][A-Za-z0-9+.-]*://[^/?#\s\"'`<>@:\\]*:([^/?#,\s\"'`<>\\]+)@",
        judging.spoken,
        rank=5,
    ),
    Rule(
        "authorization",
        "authorization",
        r"(?i)authorization" + QUOTE + r"\]?\s*(?:=>|:|=|,)\s*" + QUOTE
        + r"(?:(?:bearer|basic|token|bot|digest|apikey|negotiate|aws4-hmac-sha256)\s+)?([A-Za-z0-9._~+/:=-]{8,})",
        judging.credential,
        rank=8,
    ),
    Rule("authorization", r"bearer\s", r"(?i)bearer\s+([A-Za-z0-9._~+/-]{16,}=*)", judging.mixed, rank=20),
    Rule("basic-auth", r"basic\s+[a-z0-9+/]{8}", r"(?i)basic\s+([A-Za-z0-9+/]{8,}={0,2})", judging.decodes_to_pair, rank=20),
    Rule("basic-auth", r"\"auths?\\*\"", r"\"auth\\*\"\s*:\s*\\*\"([A-Za-z0-9+/]{8,}={0,2})", judging.decodes_to_pair, rank=20),
    Rule(
        "cookie",
        r"cookie" + QUOTE + r"\s*[:=,]|--cookie\s",
        r"(?i)cookie" + QUOTE + r"(?:\s*[:=,]\s*|\s)" + QUOTE
        + r"([A-Za-z0-9_.$-]{1,100}=[^\s;,\"'`\\]{6,}(?:;\s*[A-Za-z0-9_.$-]+(?:=[^\s;,\"'`\\]*)?)*)",
        judging.cookie,
        rank=8,
    ),
    Rule(
        "url-token",
        r"[?&][a-z_-]*(?:token|key|auth|sig|signature|secret|passw(?:or)?d|pwd|credential|jwt)=",
        r"(?i)[?&](?:amp;)?[A-Za-z_-]*(?:token|key|auth|sig|signature|secret|passw(?:or)?d|pwd|credential|jwt)"
        r"=([^&\s\"'`\\<>#;]{6,})",
        judging.query_value,
        rank=30,
    ),
    Rule(
        "command-password",
        r"curl|sshpass|mysql|--?(?:user|password|token|api-?key|secret)",
        r"(?:sshpass\s+-p\s*|\s--(?:[a-z]+-)*(?:password|passwd|token|api-?key|secret)(?:\s+|=)|(?:\s-u|\s--user)[\s=]*"
        + QUOTE + r"[A-Za-z0-9_.@+-]+:|mysql(?:dump)?\s[^|;\n\\]*\s-p)" + QUOTE + r"([^\s\"'`\\]{4,})",
        judging.command_value,
        rank=30,
    ),
    Rule(
        "netrc-password",
        r"login\s+\S+\s+password",
        r"(?i)login(?:\s|\\n)+[^\s\\]+(?:\s|\\n)+password(?:\s|\\n)+([^\s\"'\\]{4,})",
        judging.spoken,
        rank=30,
    ),
)  # fmt: skip
