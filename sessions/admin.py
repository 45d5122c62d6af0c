"""The operator's console: providers with their keys, the models they offer, what those cost, projects."""

from decimal import Decimal
from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from django.utils import timezone
from unfold.admin import ModelAdmin, TabularInline
from unfold.widgets import (
    UnfoldAdminDecimalFieldWidget,
    UnfoldAdminPasswordWidget,
    UnfoldAdminSelectWidget,
    UnfoldBooleanSwitchWidget,
)

from billing.pricing import MICROCREDITS_PER_DOLLAR
from sessions.actions import catalog
from sessions.models import LanguageModel, ModelPrice, Project, Provider

ADAPTER_WORDS = {
    "openai_wire": "OpenAI-compatible endpoint (needs a base URL)",
    "litellm": "LiteLLM, by provider/model",
    "demo": "Demo models, simulated",
}


class ProviderForm(forms.ModelForm):  # type: ignore[type-arg]
    """The key goes in and never comes out: only its last four characters are shown."""

    adapter = forms.ChoiceField(
        choices=ADAPTER_WORDS,
        widget=UnfoldAdminSelectWidget,
        help_text="How its models are asked. It cannot be changed later.",
    )
    new_key = forms.CharField(
        required=False,
        label="New key",
        widget=UnfoldAdminPasswordWidget(attrs={"autocomplete": "off"}),
        help_text="Left empty the present key stays. A key belongs to its host: another host, and it is gone.",
    )
    remove_key = forms.BooleanField(required=False, label="Remove the key", widget=UnfoldBooleanSwitchWidget)

    class Meta:
        model = Provider
        fields = ("name", "label", "adapter", "base_url", "max_concurrent")
        labels = {"base_url": "Base URL", "max_concurrent": "Calls at a time"}  # noqa: RUF012 - Django's own shape

    def clean(self) -> dict[str, Any]:
        found: dict[str, Any] = super().clean() or self.cleaned_data
        if found.get("adapter", self.instance.adapter) == "openai_wire" and not found.get("base_url"):
            self.add_error("base_url", "An OpenAI-compatible endpoint needs its address, up to and with /v1.")
        return found


@admin.register(Provider)
class ProviderAdmin(ModelAdmin):  # type: ignore[misc]
    form = ProviderForm
    list_display = ("name", "label", "adapter", "base_url", "key_state", "max_concurrent")
    search_fields = ("name", "label")

    @admin.display(description="Key")
    def key_state(self, provider: Provider) -> str:
        return f"…{provider.key_hint}" if provider.sealed_key else "none"

    def get_readonly_fields(self, request: HttpRequest, obj: Provider | None = None) -> tuple[str, ...]:
        """The seal holds the name: renaming a provider would lose its key."""
        return ("name", "adapter", "key_state") if obj else ()

    def save_model(self, request: HttpRequest, obj: Provider, form: Any, change: bool) -> None:
        if change:
            catalog.set_base_url(Provider.objects.get(pk=obj.pk), obj.base_url)
            obj.sealed_key, obj.key_hint = Provider.objects.values_list("sealed_key", "key_hint").get(pk=obj.pk)
        super().save_model(request, obj, form, change)
        if form.cleaned_data["new_key"] or form.cleaned_data["remove_key"]:
            catalog.set_key(obj, form.cleaned_data["new_key"])


def _dollars() -> forms.DecimalField:
    return forms.DecimalField(min_value=0, max_digits=12, decimal_places=6, widget=UnfoldAdminDecimalFieldWidget)


class PriceForm(forms.ModelForm):  # type: ignore[type-arg]
    """Dollars per million tokens, stored as micro-credits."""

    input_price = _dollars()
    output_price = _dollars()

    class Meta:
        model = ModelPrice
        fields: tuple[str, ...] = ()

    def save(self, commit: bool = True) -> ModelPrice:
        price: ModelPrice = self.instance
        price.since = timezone.now()
        price.input_microcredits = int(self.cleaned_data["input_price"] * MICROCREDITS_PER_DOLLAR)
        price.output_microcredits = int(self.cleaned_data["output_price"] * MICROCREDITS_PER_DOLLAR)
        super().save(commit)
        return price


class PriceInline(TabularInline):  # type: ignore[misc]
    """Prices are dated rows: a new one takes over from now, what was charged before stays as it was."""

    model = ModelPrice
    form = PriceForm
    extra = 0
    fields = ("since", "input_dollars", "output_dollars", "input_price", "output_price")
    readonly_fields = ("since", "input_dollars", "output_dollars")

    @admin.display(description="Input in force, $ per million")
    def input_dollars(self, price: ModelPrice) -> str:
        return _per_million(price.input_microcredits)

    @admin.display(description="Output in force, $ per million")
    def output_dollars(self, price: ModelPrice) -> str:
        return _per_million(price.output_microcredits)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(LanguageModel)
class LanguageModelAdmin(ModelAdmin):  # type: ignore[misc]
    list_display = ("id", "provider", "route", "weight", "context_window", "enabled", "price")
    list_filter = ("enabled", "provider")
    search_fields = ("id", "label", "route")
    list_select_related = ("provider",)
    inlines = (PriceInline,)

    def get_readonly_fields(self, request: HttpRequest, obj: LanguageModel | None = None) -> tuple[str, ...]:
        return ("id",) if obj else ()

    @admin.display(description="In / out, $ per million")
    def price(self, model: LanguageModel) -> str:
        price = model.prices.first()
        if price is None:
            return "unknown"
        return f"{_per_million(price.input_microcredits)} / {_per_million(price.output_microcredits)}"


@admin.register(Project)
class ProjectAdmin(ModelAdmin):  # type: ignore[misc]
    """To look at. People make and delete projects on their pages, where the erasing is done."""

    list_display = ("name", "slug", "is_demo", "created_at", "deleted_at")
    search_fields = ("name", "slug")
    readonly_fields = ("name", "slug", "is_demo", "created_at", "deleted_at")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Project | None = None) -> bool:
        return False


def _per_million(microcredits: int | None) -> str:
    return "" if microcredits is None else f"{Decimal(microcredits) / MICROCREDITS_PER_DOLLAR:f}"
