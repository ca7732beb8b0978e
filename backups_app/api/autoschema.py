"""What the API's schema says of all endpoints alike."""

from __future__ import annotations

from typing import Any, Final

from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiParameter

PLAN: Final = OpenApiParameter(
    "plan", str, description="the plan's name; `default` when missing. May stand in a JSON body too"
)


class Schema(AutoSchema):
    """Endpoints about a plan take its name."""

    def get_override_parameters(self) -> list[Any]:
        return [PLAN] if getattr(self.view, "by_plan", False) else []
