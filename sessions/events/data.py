"""What every event's data is made of: ids, digests, codes and whole numbers. A text is named, never held."""

import uuid
from typing import Annotated

from pydantic import BaseModel, ConfigDict, StringConstraints

Code = Annotated[str, StringConstraints(max_length=64, pattern=r"^[A-Za-z0-9_.:/+-]*$")]
Letter = Annotated[str, StringConstraints(pattern=r"^[A-Z]{1,2}$")]


class Data(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=False)


class TextRef(Data):
    id: uuid.UUID
    digest: Code
