"""What must neither be indexed nor shown: files that hold credentials, and keys, tokens and passwords within others.

fileset.py leaves the files out, chunk text is made from masked source; whoever puts text into a prompt or a log masks
it with the same function.

The shapes of keys are those their makers document and that gitleaks' rules (github.com/gitleaks/gitleaks, MIT) and
detect-secrets' plugins (github.com/Yelp/detect-secrets, Apache-2.0) look for too. detect-secrets itself is not used: it
tries two dozen expressions on every line, where here a text is looked at closely only if a telling part is in it (not
measured against each other yet). Not covered: secrets put
together from several strings, passwords that look like words, and what is in no such shape and has no telling name.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from fnmatch import fnmatch

# Raised when other text is masked: what is stored is then made anew.
SECRETS_VERSION = 1
MASK = "*"

SECRET_FILES = (
    ".env", ".env.*", "*.env", ".envrc", ".netrc", "_netrc", ".npmrc", ".pypirc", ".pgpass", ".htpasswd",
    ".git-credentials", "id_rsa*", "id_dsa*", "id_ecdsa*", "id_ed25519*", "*.pem", "*.key", "*.p12", "*.pfx", "*.jks",
    "*.keystore", "*.ppk", "*.kdbx", "*.asc", "*.gpg", "*.tfstate", "*.tfvars", "credentials", "credentials.json",
    "secrets.y*ml", "secrets.json", "kubeconfig", "*.kubeconfig", "service-account*.json",
)  # fmt: skip

# Each with a cheap part that must be there, in lower case, before the expression is tried on a text. A group called
# `secret` is what is masked, else the whole match.
_SHAPES: tuple[tuple[tuple[str, ...], str], ...] = (
    (("private key",), r"-----BEGIN[ A-Z0-9]*PRIVATE KEY(?: BLOCK)?-----(?P<secret>[^`\"]*?)(?:-----END|(?=[`\"])|\Z)"),
    (("akia", "asia", "abia", "acca"), r"\b(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}\b"),
    (("ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_"), r"\b(?:gh[pousr]_\w{30,}|github_pat_\w{22,})"),
    (("glpat-", "gldt-", "glrt-", "glptt-"), r"\bgl(?:pat|dt|rt|ptt)-[\w-]{20,}"),
    (("xox", "xapp-"), r"\b(?:xox[abeoprs]-[\w-]{10,}|xapp-[\w-]{10,})"),
    (("hooks.slack.com",), r"hooks\.slack\.com/(?:services|workflows)/(?P<secret>[\w/+-]{20,})"),
    (("sk_live", "rk_live", "sk_test", "rk_test", "whsec_"), r"\b(?:[rs]k_(?:live|test)_\w{16,}|whsec_[\w+/=]{20,})"),
    (("aiza",), r"\bAIza[\w-]{35}"),
    (("ya29.",), r"\bya29\.[\w-]{20,}"),
    (("sk-",), r"\bsk-(?:ant-|proj-|svcacct-|or-)?[A-Za-z0-9_-]{24,}"),
    (("hf_",), r"\bhf_[A-Za-z0-9]{30,}"),
    (("npm_",), r"\bnpm_[A-Za-z0-9]{36}\b"),
    (("pypi-",), r"\bpypi-[\w-]{50,}"),
    (("sg.",), r"\bSG\.[\w-]{16,}\.[\w-]{16,}"),
    (("dop_v1", "doo_v1", "dor_v1"), r"\bdo[por]_v1_[a-f0-9]{64}\b"),
    (("shpat_", "shpss_", "shpca_", "shppa_"), r"\bshp(?:at|ss|ca|pa)_[a-fA-F0-9]{32}\b"),
    (("hvs.", "hvb."), r"\bhv[sb]\.[\w-]{24,}"),
    (("age-secret-key",), r"\bAGE-SECRET-KEY-1[A-Z0-9]{58}\b"),
    (("accountkey=", "sharedaccesskey="), r"(?i)\b(?:Account|SharedAccess)Key=(?P<secret>[\w+/]{30,}={0,2})"),
    (("eyj",), r"\beyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]*"),
    (("://",), r"\b[a-z][a-z0-9+.-]{1,20}://[^\s:/@\"'`]{0,64}:(?P<secret>[^\s/@\"'`%{}$<>]{3,128})@[\w.-]"),
    (("bearer ", "basic "), r"(?i)\b(?:Bearer|Basic) (?P<secret>[\w.+/=~-]{20,})"),
)  # fmt: skip
_COMPILED = tuple((parts, re.compile(pattern)) for parts, pattern in _SHAPES)

# A string given to a name that says what it is. Whether it is one is asked of `_is_random`.
_NAMED = re.compile(
    r"""(?ix)
    (?:passw(?:or)?d|passwd|pwd|secret|token|api_?-?key|access_?-?key|auth_?-?key|signing_?-?key|encryption_?-?key
      |private_?-?key|credential|client_?-?secret)
    [\w.\-\]\[)"'`]{0,40} \s* (?::=|=>|==?|:|,) \s* (?:\[\]byte\()?
    (?:"(?P<double>[^"\n\\]{8,512})"|`(?P<back>[^`\n]{8,512})`|'(?P<single>[^'\n\\]{8,512})')
    """
)
_NAMED_PARTS = ("pass", "pwd", "secret", "token", "key", "credential")
_PLACEHOLDER = re.compile(
    r"(?i)example|sample|dummy|changeme|placeholder|redacted|xxxx|\*\*\*|<[^>]*>|\$\{|\{\{|%[sdvqx]"
)
# Bits a character that random letters and digits have and words have not, for strings of some length.
_MIN_ENTROPY = 3.0


def is_secret_file(name: str) -> bool:
    """Whether a file of this name (no directory) is one that holds credentials, whatever its content."""
    name = name.lower()
    return any(fnmatch(name, pattern) for pattern in SECRET_FILES) and not name.endswith(
        (".example", ".sample", ".pub")
    )


def mask(text: str) -> str:
    """`text` with every secret covered by asterisks, one for each character: lines and offsets stay what they are.

    Masking what is masked changes nothing: what only shows when its neighbour is covered is covered too.
    """
    while covered := spans(text):
        parts: list[str] = []
        at = 0
        for start, end in covered:
            parts += (text[at:start], re.sub(r"[^\n\r]", MASK, text[start:end]))
            at = end
        text = "".join((*parts, text[at:]))
    return text


def spans(text: str) -> list[tuple[int, int]]:
    """Where secrets stand in `text`: (start, end) in code points, rising, none within another."""
    lower = text.lower()
    found: list[tuple[int, int]] = []
    for parts, pattern in _COMPILED:
        if any(part in lower for part in parts):
            group = "secret" if "secret" in pattern.groupindex else 0
            found.extend(match.span(group) for match in pattern.finditer(text) if not _is_masked(match.group(group)))
    if any(part in lower for part in _NAMED_PARTS):
        for match in _NAMED.finditer(text):
            name = next(name for name in ("double", "back", "single") if match.group(name) is not None)
            if _is_random(match.group(name)):
                found.append(match.span(name))
    return _joined(found)


def _is_masked(text: str) -> bool:
    return not text.strip(MASK + " \t\r\n")


def _is_random(value: str) -> bool:
    """Whether a string looks made by a machine or a careful person, and not like a name, a sentence or a path."""
    if _is_masked(value) or " " in value or _PLACEHOLDER.search(value) or value.startswith(("/", "./", "http")):
        return False
    kinds = sum(any(test(char) for char in value) for test in (str.islower, str.isupper, str.isdigit))
    counts = Counter(value)
    entropy = -sum(n / len(value) * math.log2(n / len(value)) for n in counts.values())
    return (
        kinds >= 2
        and any(char.isdigit() for char in value)
        and entropy >= min(_MIN_ENTROPY, math.log2(len(value)) - 0.8)
    )


def _joined(found: list[tuple[int, int]]) -> list[tuple[int, int]]:
    joined: list[tuple[int, int]] = []
    for start, end in sorted(span for span in found if span[0] < span[1]):
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return joined
