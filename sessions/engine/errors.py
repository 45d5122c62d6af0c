"""Every way a call or a session can fail: one code, one sentence, what to do next.

Codes are contract (API, exports, events); sentences are for people. Nothing a provider wrote is ever shown in their
place: provider messages can echo keys.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Failure:
    """`retry`: the gateway may try the same request again."""

    sentence: str
    next_step: str
    retry: bool = False


ERRORS: dict[str, Failure] = {
    # the provider's answer
    "provider_auth": Failure("The provider refused the key.", "Check the key in the provider's settings, then retry."),
    "provider_denied": Failure("The key may not use this model.", "Choose a model the key may use."),
    "rate_limited": Failure("The provider asked us to slow down.", "Retry later, or raise the provider's limit.", True),
    "quota_exceeded": Failure("The provider account has no credit left.", "Top up at the provider, then retry."),
    "provider_error": Failure("The provider had an internal error.", "Retry; if it stays, try another model.", True),
    "model_not_found": Failure("The provider does not know this model.", "Check the route of the model."),
    "bad_request": Failure("The provider did not accept the request.", "Check the model's route and settings."),
    "schema_unsupported": Failure(
        "The provider does not support this output format.", "Nothing to do: asked again in a simpler form.", True
    ),
    "temperature_unsupported": Failure(
        "The model takes no temperature.", "Nothing to do: asked again without one.", True
    ),
    "context_too_long": Failure(
        "The artifact is too long for this model.", "Choose a model with a larger context window."
    ),
    "refused": Failure("The model declined to answer.", "Reword the brief or choose another model."),
    "content_filtered": Failure("The provider's filter stopped the answer.", "Choose another model."),
    "empty_answer": Failure("The model sent an empty answer.", "Retry, or choose another model.", True),
    "unusable_answer": Failure("The model's answer could not be read.", "Retry, or choose another model."),
    "malformed_stream": Failure("The provider's answer broke its own format.", "Retry; check the base URL.", True),
    # the wire
    "connect_failed": Failure(
        "The provider could not be reached.", "Check the address and that the server runs.", True
    ),
    "connection_lost": Failure("The connection broke before the answer was whole.", "Retry.", True),
    "stream_cut": Failure("The answer ended in the middle.", "Retry.", True),
    "timeout_connect": Failure("The provider did not accept the connection in time.", "Check the address.", True),
    "timeout_first_byte": Failure(
        "The provider did not begin to answer in time.", "Retry, or choose a faster model.", True
    ),
    "timeout_idle": Failure("The provider stopped sending in the middle.", "Retry.", True),
    "timeout_wall": Failure(
        "The answer took too long and was stopped.", "Choose a faster model or a smaller artifact."
    ),
    "answer_too_large": Failure("The answer was larger than allowed and was stopped.", "Choose another model."),
    "redirect_refused": Failure("The provider's address redirects elsewhere.", "Enter the final address."),
    "address_blocked": Failure(
        "This address may not be used for a provider.", "Use a public https address, or allow local providers."
    ),
    # our side
    "no_key": Failure("This model has no key.", "Add a key to its provider."),
    "model_unknown": Failure("This model is not in the registry.", "Choose another model."),
    "model_disabled": Failure("This model is switched off.", "Enable it or choose another model."),
    "cap_reached": Failure("The session reached its cost cap.", "Raise the cap and retry."),
    "source_erased": Failure("An artifact of this session was deleted.", "Start a new session with another artifact."),
    "stopped": Failure("Somebody stopped the session during this call.", "Retry to ask again."),
    "worker_stopped": Failure("The worker was stopped during this call.", "Nothing to do: the call is made again."),
    "attempt_lost": Failure("The worker died during this call.", "Nothing to do: the call is made again."),
    "no_answers": Failure("No instance gave a usable answer.", "See each instance's reason, then retry."),
    "internal": Failure("Something went wrong on our side.", "Retry; if it stays, report the request id."),
}


def explain(code: str) -> str:
    failure = ERRORS.get(code, ERRORS["internal"])
    return f"{failure.sentence} {failure.next_step}"
