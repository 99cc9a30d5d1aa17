"""What all sections of the configuration share: strictness, and the ranges that several keys have."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Fraction = Annotated[float, Field(ge=0.0, lt=1.0)]
PositiveInt = Annotated[int, Field(ge=1)]
Seed = Annotated[int, Field(ge=0, lt=2**32)]
BeamSize = Annotated[int, Field(ge=1, le=100)]
PenaltyExponent = Annotated[float, Field(ge=0.0)]
TokenLimit = Annotated[int, Field(ge=1, le=10_000)]


class Section(BaseModel):
    """A part of the configuration: immutable, strict about types, and without unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False, protected_namespaces=())
