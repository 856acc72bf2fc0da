"""Programs that behave like visitors."""

from __future__ import annotations

import re
from functools import lru_cache

# SDK user agents (analytics-python, python-requests) are senders, not visitors: they do not match.
_ROBOT = re.compile(
    r"bot\b|bot/|crawl|spider|slurp|headless|lighthouse|phantomjs|selenium|puppeteer|playwright|preview|prerender"
    r"|facebookexternalhit|pingdom|uptime|proofpoint|barracuda|mimecast|safelinks|googleimageproxy|bingpreview",
    re.IGNORECASE,
)


@lru_cache(maxsize=8192)
def is_robot(user_agent: str) -> bool:
    """Whether a user agent says of itself that it is a bot, a link scanner or a remote-controlled browser."""
    return _ROBOT.search(user_agent) is not None
