"""What RegistryService asks of the catalog: decode, one call, encode, all of it in a thread."""

from __future__ import annotations

from google.protobuf.empty_pb2 import Empty

from modelfoundry.api.registry.v1 import (
    composition_pb2,
    dataset_pb2,
    evaluation_pb2,
    model_pb2,
    module_pb2,
)
from modelfoundry.api.registry.v1.registry_service_pb2_grpc import RegistryServiceServicer
from modelfoundry.registry.catalog import requests
from modelfoundry.registry.catalog.catalog import Catalog
from modelfoundry.registry.records.calls import changes, create_call, fill_page, list_request
from modelfoundry.registry.records.listed_modules import listed_module_to_proto
from modelfoundry.registry.records.messages import (
    composition_to_proto,
    dataset_to_proto,
    evaluation_to_proto,
    model_to_proto,
    module_to_proto,
)
from modelfoundry.registry.threads import Threads, in_thread


class CatalogCalls(RegistryServiceServicer):
    """The methods of `modelfoundry.api.registry.v1.RegistryService` that are about resources."""

    def __init__(self, catalog: Catalog, threads: Threads) -> None:
        self._catalog = catalog
        self.threads = threads

    @in_thread
    def CreateModel(self, request: model_pb2.CreateModelRequest) -> model_pb2.Model:
        """See the contract."""
        call = create_call(request, request.model_id, validate_only=request.validate_only)
        return model_to_proto(self._catalog.models.create(call, requests.model_from_proto(request.model)))

    @in_thread
    def GetModel(self, request: model_pb2.GetModelRequest) -> model_pb2.Model:
        """See the contract."""
        return model_to_proto(self._catalog.models.get(request.name))

    @in_thread
    def ListModels(self, request: model_pb2.ListModelsRequest) -> model_pb2.ListModelsResponse:
        """See the contract."""
        response = model_pb2.ListModelsResponse()
        page = self._catalog.models.list(list_request(request, request.order_by))
        response.next_page_token = fill_page(page, model_to_proto, response.models)
        return response

    @in_thread
    def UpdateModel(self, request: model_pb2.UpdateModelRequest) -> model_pb2.Model:
        """See the contract."""
        new = changes(request.model, request.update_mask)
        row = self._catalog.models.update(request.model.name, request.model.etag, new, prefix="model")
        return model_to_proto(row)

    @in_thread
    def DeleteModel(self, request: model_pb2.DeleteModelRequest) -> Empty:
        """See the contract."""
        self._catalog.models.delete(request.name, request.etag, cascade=request.cascade)
        return Empty()

    @in_thread
    def CreateDataset(self, request: dataset_pb2.CreateDatasetRequest) -> dataset_pb2.Dataset:
        """See the contract."""
        call = create_call(request, request.dataset_id, validate_only=request.validate_only)
        return dataset_to_proto(self._catalog.datasets.create(call, requests.dataset_from_proto(request.dataset)))

    @in_thread
    def GetDataset(self, request: dataset_pb2.GetDatasetRequest) -> dataset_pb2.Dataset:
        """See the contract."""
        return dataset_to_proto(self._catalog.datasets.get(request.name))

    @in_thread
    def ListDatasets(self, request: dataset_pb2.ListDatasetsRequest) -> dataset_pb2.ListDatasetsResponse:
        """See the contract."""
        response = dataset_pb2.ListDatasetsResponse()
        page = self._catalog.datasets.list(list_request(request, request.order_by))
        response.next_page_token = fill_page(page, dataset_to_proto, response.datasets)
        return response

    @in_thread
    def UpdateDataset(self, request: dataset_pb2.UpdateDatasetRequest) -> dataset_pb2.Dataset:
        """See the contract."""
        new = changes(request.dataset, request.update_mask)
        row = self._catalog.datasets.update(request.dataset.name, request.dataset.etag, new, prefix="dataset")
        return dataset_to_proto(row)

    @in_thread
    def DeleteDataset(self, request: dataset_pb2.DeleteDatasetRequest) -> Empty:
        """See the contract."""
        self._catalog.datasets.delete(request.name, request.etag, cascade=request.cascade)
        return Empty()

    @in_thread
    def CreateModule(self, request: module_pb2.CreateModuleRequest) -> module_pb2.Module:
        """See the contract."""
        call = create_call(request, request.module_id, validate_only=request.validate_only)
        return module_to_proto(self._catalog.modules.create(call, requests.module_from_proto(request.module)))

    @in_thread
    def GetModule(self, request: module_pb2.GetModuleRequest) -> module_pb2.Module:
        """See the contract."""
        return module_to_proto(self._catalog.modules.get(request.name))

    @in_thread
    def ListModules(self, request: module_pb2.ListModulesRequest) -> module_pb2.ListModulesResponse:
        """See the contract."""
        response = module_pb2.ListModulesResponse()
        page = self._catalog.modules.listed(list_request(request, request.order_by))
        response.next_page_token = fill_page(page, listed_module_to_proto, response.modules)
        return response

    @in_thread
    def UpdateModule(self, request: module_pb2.UpdateModuleRequest) -> module_pb2.Module:
        """See the contract."""
        new = changes(request.module, request.update_mask)
        row = self._catalog.modules.update(request.module.name, request.module.etag, new, prefix="module")
        return module_to_proto(row)

    @in_thread
    def SetModuleForms(self, request: module_pb2.SetModuleFormsRequest) -> module_pb2.Module:
        """See the contract."""
        row = self._catalog.modules.set_forms(request.name, requests.forms_from_proto(request.forms))
        return module_to_proto(row)

    @in_thread
    def DeleteModule(self, request: module_pb2.DeleteModuleRequest) -> Empty:
        """See the contract."""
        self._catalog.modules.delete(request.name, request.etag, cascade=request.cascade)
        return Empty()

    @in_thread
    def CreateComposition(self, request: composition_pb2.CreateCompositionRequest) -> composition_pb2.Composition:
        """See the contract."""
        call = create_call(request, request.composition_id, validate_only=request.validate_only)
        draft = requests.composition_from_proto(request.composition)
        return composition_to_proto(self._catalog.compositions.create(call, draft))

    @in_thread
    def GetComposition(self, request: composition_pb2.GetCompositionRequest) -> composition_pb2.Composition:
        """See the contract."""
        return composition_to_proto(self._catalog.compositions.get(request.name))

    @in_thread
    def ListCompositions(
        self, request: composition_pb2.ListCompositionsRequest
    ) -> composition_pb2.ListCompositionsResponse:
        """See the contract."""
        response = composition_pb2.ListCompositionsResponse()
        page = self._catalog.compositions.list(list_request(request, request.order_by))
        response.next_page_token = fill_page(page, composition_to_proto, response.compositions)
        return response

    @in_thread
    def UpdateComposition(self, request: composition_pb2.UpdateCompositionRequest) -> composition_pb2.Composition:
        """See the contract."""
        new = changes(request.composition, request.update_mask)
        name, etag = request.composition.name, request.composition.etag
        return composition_to_proto(self._catalog.compositions.update(name, etag, new, prefix="composition"))

    @in_thread
    def DeleteComposition(self, request: composition_pb2.DeleteCompositionRequest) -> Empty:
        """See the contract."""
        self._catalog.compositions.delete(request.name, request.etag)
        return Empty()

    @in_thread
    def CreateEvaluation(self, request: evaluation_pb2.CreateEvaluationRequest) -> evaluation_pb2.Evaluation:
        """See the contract."""
        call = create_call(request)
        draft = requests.evaluation_from_proto(request.evaluation)
        return evaluation_to_proto(self._catalog.evaluations.create(call, draft))

    @in_thread
    def GetEvaluation(self, request: evaluation_pb2.GetEvaluationRequest) -> evaluation_pb2.Evaluation:
        """See the contract."""
        return evaluation_to_proto(self._catalog.evaluations.get(request.name))

    @in_thread
    def ListEvaluations(self, request: evaluation_pb2.ListEvaluationsRequest) -> evaluation_pb2.ListEvaluationsResponse:
        """See the contract."""
        response = evaluation_pb2.ListEvaluationsResponse()
        page = self._catalog.evaluations.list(list_request(request, request.order_by))
        response.next_page_token = fill_page(page, evaluation_to_proto, response.evaluations)
        return response

    @in_thread
    def DeleteEvaluation(self, request: evaluation_pb2.DeleteEvaluationRequest) -> Empty:
        """See the contract."""
        self._catalog.evaluations.delete(request.name)
        return Empty()
