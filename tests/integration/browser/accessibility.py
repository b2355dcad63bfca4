"""What axe-core says of a page (https://github.com/dequelabs/axe-core)."""

from __future__ import annotations

from tests.integration.hub.hubs import REPOSITORY

AXE = REPOSITORY / "frontend" / "node_modules" / "axe-core" / "axe.min.js"
#: What users with impairments cannot get around.
_GRAVE = ("serious", "critical")
_RUN = """
async (within) => {
    const { violations } = await axe.run(within ? document.querySelector(within) : document);
    return violations.map(({ id, impact, help, nodes }) => ({
        id, impact, help, nodes: nodes.slice(0, 3).map(({ html, failureSummary }) =>
            `${html.slice(0, 200)}: ${failureSummary}`),
    }));
}
"""


def grave_violations(page, within=None):
    """Rules that the page, or what a selector finds in it, breaks gravely."""
    # by the debugger, which a page's content policy does not stop
    page.evaluate(AXE.read_text())
    return [each for each in page.evaluate(_RUN, within) if each["impact"] in _GRAVE]
