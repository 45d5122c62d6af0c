"""The registry: providers, the models they offer, and what those cost from when on."""

from django.db import models


class Provider(models.Model):
    """Where models are asked. The key is sealed for this provider and its host: change the host and it is gone.
    `maker` is its tile (`catalog.makers`); `offered` what it listed last, as `sessions.providers.listing.Offer`."""

    name = models.SlugField(max_length=60, unique=True)
    label = models.CharField(max_length=80, blank=True)
    adapter = models.CharField(max_length=20)
    base_url = models.CharField(max_length=300, blank=True)
    sealed_key = models.BinaryField(null=True, editable=False)
    key_hint = models.CharField(max_length=8, blank=True, editable=False)
    max_concurrent = models.PositiveIntegerField(default=16)
    maker = models.CharField(max_length=20, blank=True)
    offered = models.JSONField(default=list, editable=False)
    offered_at = models.DateTimeField(null=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return self.label or self.name

    @property
    def simulated(self) -> bool:
        return self.adapter == "demo"

    @property
    def usable(self) -> bool:
        """Whether its models can be asked at all."""
        return self.simulated or bool(self.sealed_key)


# Answers to a test call that stay true until somebody changes something; anything else may be over in a minute.
LASTING_FAILURES = frozenset({"provider_auth", "provider_denied", "model_not_found", "quota_exceeded", "no_key"})


class LanguageModel(models.Model):
    """A model people can seat. `id` is what rosters and the API name; `route` is its name at the provider.

    `checked_at` is when it was last tested, `check_code` the error code of that test (empty: it answered), `check_ms`
    and `check_cost` (micro-credits, None: unknown) what the answer took. A removed one is kept for the sessions it
    took part in, and hidden everywhere else."""

    id = models.CharField(max_length=100, primary_key=True)
    provider = models.ForeignKey(Provider, models.PROTECT, related_name="language_models")
    route = models.CharField(max_length=200)
    label = models.CharField(max_length=100, blank=True)
    family = models.CharField(max_length=60, blank=True)
    weight = models.PositiveSmallIntegerField(default=5)
    context_window = models.PositiveIntegerField(default=128_000)
    max_output_tokens = models.PositiveIntegerField(default=8_000)
    schema_mode = models.CharField(
        max_length=12,
        default="json_schema",
        choices=[(mode, mode) for mode in ("json_schema", "tool", "json_object", "prompt")],
    )
    takes_temperature = models.BooleanField(default=True)
    enabled = models.BooleanField(default=True)
    checked_at = models.DateTimeField(null=True, editable=False)
    check_code = models.CharField(max_length=40, blank=True, editable=False)
    check_ms = models.PositiveIntegerField(null=True, editable=False)
    check_cost = models.BigIntegerField(null=True, editable=False)
    removed_at = models.DateTimeField(null=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["id"]
        constraints = [
            models.CheckConstraint(condition=models.Q(weight__lte=10), name="weight_is_at_most_ten"),
        ]

    def __str__(self) -> str:
        return self.id

    @property
    def simulated(self) -> bool:
        return self.provider.simulated

    @property
    def state(self) -> str:
        """simulated | works | untested | failed | no_key | disabled | removed"""
        if self.removed_at:
            return "removed"
        if not self.enabled:
            return "disabled"
        if self.simulated:
            return "simulated"
        if not self.provider.usable:
            return "no_key"
        if self.checked_at is None:
            return "untested"
        return "failed" if self.check_code else "works"

    @property
    def broken(self) -> str:
        """Why a seat with this model cannot be started, as an error code; empty when it can be."""
        code = {"removed": "model_unknown", "disabled": "model_disabled", "no_key": "no_key"}.get(self.state, "")
        return code or (self.check_code if self.check_code in LASTING_FAILURES else "")


class ModelPrice(models.Model):
    """What a model costs from `since` on, in micro-credits per million tokens (1 credit = US$0.001).
    A model without a row has no known price, which is not the same as free."""

    language_model = models.ForeignKey(LanguageModel, models.CASCADE, related_name="prices")
    since = models.DateTimeField()
    input_microcredits = models.BigIntegerField()
    output_microcredits = models.BigIntegerField()
    cached_input_microcredits = models.BigIntegerField(null=True, blank=True)

    class Meta:
        ordering = ["-since"]
        constraints = [models.UniqueConstraint(fields=["language_model", "since"], name="one_price_per_moment")]
