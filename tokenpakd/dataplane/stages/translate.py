"""Room: the body in another dialect.

Not furnished in this version: every request passes as it is, and its trace says so.
"""

from tokenpakd.dataplane.plan import Plan

DECIDED = "passes"


def apply(plan: Plan) -> tuple[Plan, str]:
    """Return the plan as it came."""
    return plan, DECIDED
