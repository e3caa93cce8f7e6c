from __future__ import annotations

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2

from modelfoundry import errors
from modelfoundry.api.types.v1 import error_reason_pb2
from modelfoundry.wire.statuses import STATUS_BY_ERROR, internal_status, status_for


def details(status: status_pb2.Status) -> dict[str, object]:
    found = {}
    for packed in status.details:
        message = getattr(error_details_pb2, packed.TypeName().rpartition(".")[2])()
        assert packed.Unpack(message)
        found[type(message).__name__] = message
    return found


def test_every_domain_error_has_a_status() -> None:
    assert set(STATUS_BY_ERROR) == set(errors.ModelFoundryError.__subclasses__())


def test_every_reason_is_in_the_contract_with_its_code() -> None:
    contract = {
        name.removeprefix("ERROR_REASON_") for name in error_reason_pb2.ErrorReason.DESCRIPTOR.values_by_name
    } - {"UNSPECIFIED"}
    assert {error.reason for error in STATUS_BY_ERROR} == contract


def test_a_subclass_has_the_code_of_its_class() -> None:
    class Narrower(errors.NotFound): ...

    assert status_for(Narrower("no such thing")).code == grpc.StatusCode.NOT_FOUND.value[0]


def test_the_root_error_is_internal() -> None:
    assert status_for(errors.ModelFoundryError("what?")).code == grpc.StatusCode.INTERNAL.value[0]


def test_a_field_alone_becomes_a_violation() -> None:
    found = details(status_for(errors.InvalidField("it is negative", field="epochs", hint="use 1 or more")))
    violations = found["BadRequest"].field_violations
    assert [(violation.field, violation.description) for violation in violations] == [("epochs", "it is negative")]
    assert dict(found["ErrorInfo"].metadata) == {"field": "epochs", "hint": "use 1 or more"}


def test_no_field_no_violation() -> None:
    assert list(details(status_for(errors.MalformedFile("it is a pickle")))) == ["ErrorInfo"]


def test_the_resource_is_told_with_its_kind() -> None:
    error = errors.AlreadyExists("taken", metadata={"resource": "projects/p/modules/cow"})
    resource = details(status_for(error))["ResourceInfo"]
    assert (resource.resource_type, resource.resource_name) == ("modelfoundry.dev/modules", "projects/p/modules/cow")


def test_only_trouble_that_passes_says_when_to_try_again() -> None:
    assert "RetryInfo" in details(status_for(errors.Unavailable("away")))
    assert "RetryInfo" not in details(status_for(errors.StorageFull("full")))


def test_an_internal_error_says_where_to_look() -> None:
    found = details(internal_status("id-1"))
    assert found["RequestInfo"].request_id == "id-1"
    assert found["ErrorInfo"].metadata["request_id"] == "id-1"


@pytest.mark.parametrize("text", ["a" * 100_000, "ü" * 100_000, "\ud800" * 10, "line\nline\0"])
def test_any_text_becomes_a_status_that_fits_into_metadata(text) -> None:
    violations = tuple(errors.FieldViolation(f"{text}{number}", text) for number in range(100))
    error = errors.WeightsMismatch(text, field=text, hint=text, violations=violations, metadata={"resource": text})
    assert status_for(error).ByteSize() < 6000


def test_a_long_list_of_violations_says_how_many_are_left_out() -> None:
    violations = tuple(errors.FieldViolation(f"tensor{number}", "is missing") for number in range(1000))
    told = details(status_for(errors.WeightsMismatch("many", violations=violations)))["BadRequest"].field_violations
    assert 20 < len(told) < 1000
    assert told[-1].description == f"and {1000 - len(told) + 1} more"
    assert [violation.field for violation in told[:-1]] == [f"tensor{number}" for number in range(len(told) - 1)]
