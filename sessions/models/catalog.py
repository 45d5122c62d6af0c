"""The registry: providers, the models they offer, and what those cost from when on."""

from django.db import models


class Provider(models.Model):
    """Where models are asked. The key is sealed for this provider and its host: change the host and it is gone."""

    name = models.SlugField(max_length=60, unique=True)
    label = models.CharField(max_length=80, blank=True)
    adapter = models.CharField(max_length=20)
    base_url = models.CharField(max_length=300, blank=True)
    sealed_key = models.BinaryField(null=True, editable=False)
    key_hint = models.CharField(max_length=8, blank=True, editable=False)
    max_concurrent = models.PositiveIntegerField(default=16)
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return self.label or self.name


class LanguageModel(models.Model):
    """A model people can seat. `id` is what rosters and the API name; `route` is its name at the provider."""

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
        return self.provider.adapter == "demo"


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
