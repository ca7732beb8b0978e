"""API tokens in the admin: made once, looked at, revoked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from backups_app import roles
from backups_app.admin.looking import RecentLogin
from backups_app.admin.told import told
from backups_app.models import ApiToken
from backups_app.tokens import TokenRefused, make_token, rights_of

if TYPE_CHECKING:
    TokenModelAdmin = admin.ModelAdmin[ApiToken]
    TokenModelForm = forms.ModelForm[ApiToken]
else:  # generic in their type stubs only
    TokenModelAdmin = admin.ModelAdmin
    TokenModelForm = forms.ModelForm


class TokenForm(TokenModelForm):
    """A new token of whoever fills it in."""

    role = forms.ChoiceField(choices=[(role, role) for role in roles.NAMES])
    days = forms.IntegerField(min_value=1, max_value=3650, initial=90)

    class Meta:
        model = ApiToken
        fields = ("name",)

    def clean(self) -> dict[str, Any]:
        """Refuses a role that is more than the account's."""
        given = super().clean() or {}
        lacking = [
            permission
            for permission in roles.permissions_of(given.get("role", roles.VIEWER))
            if not self.owner.has_perm(permission)  # type: ignore[attr-defined]
        ]
        if lacking:
            self.add_error("role", f"You may not {roles.ABOUT[lacking[0]]} yourself.")
        return given


@admin.register(ApiToken)
class TokenAdmin(RecentLogin, TokenModelAdmin):
    """A token's row stays, since the audit log names it."""

    list_display = (
        "name", "prefix", "role", "owner", "created_at", "expires_at", "last_used_at",
        "last_used_from", "revoked_at",
    )  # fmt: skip
    search_fields = ("name", "prefix")
    actions = ("revoke",)

    def get_form(
        self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any
    ) -> Any:
        if obj is not None:
            return super().get_form(request, obj, change, **kwargs)
        return type("OwnTokenForm", (TokenForm,), {"owner": request.user})

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        if obj is not None:
            return super().get_fieldsets(request, obj)
        return [(None, {"fields": ("name", "role", "days")})]

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        given = {name: form.cleaned_data[name] for name in ("name", "role", "days")}
        try:
            token, obj.text = make_token(**given, owner=request.user)
        except TokenRefused as error:  # the account lost a right between check and save
            raise PermissionDenied(error.message) from error
        obj.pk, obj.prefix = token.pk, token.prefix
        told(request, "tokens", str(token), **rights_of(token))

    def response_add(
        self, request: HttpRequest, obj: Any, post_url_continue: Any = None
    ) -> HttpResponse:
        """The text stands on this page alone: a message would lie in a cookie until it is read."""
        context = {
            **self.admin_site.each_context(request),
            "title": "The new token",
            "opts": self.opts,
            "token": obj,
        }
        return TemplateResponse(request, "backups_app/admin/token.html", context)

    @admin.action(description="Revoke for good")
    def revoke(self, request: HttpRequest, queryset: QuerySet[ApiToken]) -> TemplateResponse | None:
        """Asks first, since there is no way back."""
        tokens = list(queryset.filter(revoked_at=None))
        if "sure" not in request.POST:
            return self._ask(request, tokens)
        for token in tokens:
            taken = ApiToken.objects.filter(pk=token.pk).revoke()
            told(request, "revoke-token", str(token), revoked=taken)
        return None

    def _ask(self, request: HttpRequest, tokens: list[ApiToken]) -> TemplateResponse:
        context = {
            **self.admin_site.each_context(request),
            "title": "Revoke these tokens?",
            "opts": self.opts,
            "tokens": tokens,
            "checkbox": ACTION_CHECKBOX_NAME,
        }
        return TemplateResponse(request, "backups_app/admin/revoke.html", context)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm(roles.TOKENS)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm(roles.TOKENS)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
