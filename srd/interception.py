"""One forward pass of an unmodified network, seen operation by operation.

A `TorchFunctionMode` sees the calls of functions, methods and modules alike, in place or not. It does not trace the
network and does not replace its modules.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import MappingProxyType
from typing import Any
from weakref import ref

from torch import Tensor, nn
from torch.autograd.graph import disable_saved_tensors_hooks
from torch.overrides import TorchFunctionMode

from srd import operations
from srd.attention import COMPOSITES
from srd.calls import Call, CallResult
from srd.encoder import Landmarks, Layer, Signal, Vectors
from srd.entries import DeclaredRule
from srd.errors import ModelError, UnsupportedOperation
from srd.flow import Flow
from srd.functions import Alias
from srd.operation_rules import OperationRules
from srd.operations import Arguments, Function, Keywords
from srd.passes import refuse_changes
from srd.prefix_tokens import PrefixTokens
from srd.provenance import WAY_TO_BE_SEEN, Provenance, Record, Step, identity, tensors
from srd.rules import SharingRatio
from srd.types import Logits

NOTHING_DECLARED: Mapping[str, DeclaredRule] = MappingProxyType({})
HOOKS = "the network hooks the tensors that autograd saves, to compute or load them again; switch its checkpointing off"


class Interception(TorchFunctionMode):
    """Records the forward pass of one batch and applies the `rules` during the pass.

    In-place operations write to new tensors, which then replace the old ones. An operation that is neither known nor
    `declared` is remembered, and refused if relevance would flow through it.
    """

    def __init__(
        self, inputs: Tensor, rules: SharingRatio, declared: Mapping[str, DeclaredRule] = NOTHING_DECLARED
    ) -> None:
        super().__init__()
        self._order = 0
        self._flow = Flow()
        self._reads = Flow()
        self._opaque: dict[int, str] = {}
        self._inputs = inputs
        self._own: tuple[Tensor, ...] = ()
        self.prefix_tokens = PrefixTokens()
        self._landmarks = Landmarks(self._flow, self.prefix_tokens)
        self._provenance = Provenance(inputs)
        self._operation_rules = OperationRules(rules, self._provenance, declared)

    def __torch_function__(
        self, func: Function, types: object, args: Arguments = (), kwargs: Keywords | None = None
    ) -> Any:
        kwargs = kwargs or {}
        read = tensors((args, kwargs))
        if self._provenance.is_outdated(read):
            args, kwargs = self._provenance.current((args, kwargs))
            read = tensors((args, kwargs))
        if func in operations.INSPECTIONS:
            return func(*args, **kwargs)
        name = operations.name_of(func)
        if name in operations.DEPARTURES and self._provenance.carriers(read):
            self._provenance.leave(operations.full_name(func), self._own)
        self._provenance.refuse_unseen(read)
        carried = self._provenance.carriers(tensors(args[:1]) if name in operations.LIKE else read)
        if not carried or name in operations.SHAPED:
            return self._constant(name, func(*args, **kwargs))
        if kwargs.get("out") is not None:
            raise UnsupportedOperation(f"{operations.full_name(func)} with an out argument; let it return its result")
        if name in COMPOSITES:
            with self:
                return COMPOSITES[name](*args, **kwargs)
        plain, args, kwargs, mutated = operations.out_of_place(func, args, kwargs)
        self._order += 1
        call = Call(self._order, operations.name_of(plain), plain, args, kwargs, carried)
        return self._record(call) if mutated is None else self._record_in_place(call, mutated)

    def logits_of(self, network: nn.Module) -> Logits:
        """Return the output of the network for a copy of the inputs, of which every operation is seen.

        Raises
        ------
        UnsupportedOperation
            The network writes into its inputs unseen, or replaces tensors that autograd saves.
        """
        self._own = (*network.parameters(), *network.buffers())
        copy = self._inputs.clone()
        self._provenance[copy] = self._provenance[self._inputs]
        try:
            with disable_saved_tensors_hooks(HOOKS), self:
                logits: Logits = network(copy)
        except RuntimeError as error:
            if HOOKS not in str(error):
                raise
            raise UnsupportedOperation(HOOKS) from error
        refuse_changes(copy, self._inputs)
        return logits

    def encoder_end(
        self, logits: Tensor, scores: Tensor, layer: Layer | None = None, *, create_graph: bool = False
    ) -> tuple[Vectors, Signal]:
        """Return the vectors at which the encoder ends, and the gradient there, as `Landmarks.encoder_end` does.

        Raises
        ------
        UnsupportedOperation
            As for `Landmarks.encoder_end`, and where the `logits` do not come from the inputs.
        """
        return self._landmarks.encoder_end(self._order_of(logits), logits, scores, layer, create_graph=create_graph)

    def refuse_unknown_below(self, vectors: Vectors) -> None:
        """Refuse operations without a rule through which relevance would flow below the vectors.

        Raises
        ------
        UnsupportedOperation
            There is such an operation.
        """
        self._landmarks.refuse_unknown_below(vectors.order)

    def refuse_unknown_anywhere(self, logits: Tensor) -> None:
        """Refuse operations without a rule on any path to the `logits`.

        Raises
        ------
        UnsupportedOperation
            There is such an operation.
        """
        self._landmarks.refuse_unknown_below(self._order_of(logits))

    def refuse_hidden_activations(self, logits: Tensor) -> None:
        """Refuse what may be an activation, or another layer, that has no rule, wherever the `logits` come from.

        Raises
        ------
        UnsupportedOperation
            There is such an operation, or one that cannot be seen.
        """
        below = self._reads.ancestors(self._order_of(logits))
        names = ", ".join(dict.fromkeys(name for order, name in self._opaque.items() if order in below))
        if names:
            raise UnsupportedOperation(
                f"there is no rule for {names}, where an activation may be hidden; call the activation by its own name "
                "(torch.relu for (x + x.abs()) / 2) or declare 'linear', 'gate' or 'activation' in operations "
                "(docs/data.md)"
            )

    @contextmanager
    def watching(self, network: nn.Module, names: Sequence[str]) -> Iterator[dict[str, Layer]]:
        """Yield a mapping, and fill it with the outputs of the named modules, of each module the last one.

        Raises
        ------
        ModelError
            A module is not there, does not run or makes no feature vectors.
        """
        seen: dict[str, Layer] = {}
        entered: dict[str, int] = {}
        handles = []
        for name in names:
            module = _submodule(network, name)
            handles += [
                module.register_forward_pre_hook(lambda *_, name=name: entered.update({name: self._order})),
                module.register_forward_hook(
                    lambda *call, name=name: seen.update({name: self._layer(name, call[-1], entered[name])})
                ),
            ]
        try:
            yield seen
        finally:
            for handle in handles:
                handle.remove()
        if missing := [name for name in names if name not in seen]:
            raise ModelError(f"layer {missing[0]!r}: the network does not run this module")

    def _order_of(self, logits: Tensor) -> int:
        record = self._provenance.get(logits)
        if record is None:
            raise UnsupportedOperation(
                f"the logits come from an operation that cannot be seen (scripted?); {WAY_TO_BE_SEEN}"
            )
        return record.order

    def _layer(self, name: str, output: Any, since: int) -> Layer:
        output = self._provenance.current(output)
        record = self._provenance.get(output) if isinstance(output, Tensor) else None
        vectors = self._landmarks.at(record.order) if record else None
        if vectors is None:
            raise ModelError(f"layer {name!r}: its output is no tensor of feature vectors that come from the inputs")
        return Layer(vectors, since)

    def _record_in_place(self, call: Call, mutated: Tensor) -> Any:
        """Run a call that would have written to `mutated`; its result then replaces this tensor.

        Only an alias of the old values is kept, so that nothing but the caller keeps the tensor itself alive.
        """
        alias: Tensor = Alias.apply(mutated)
        record = self._provenance.get(mutated)
        if record is not None:
            self._provenance[alias] = record._replace(steps=[Step(ref(mutated), identity), *record.steps])
            self._landmarks.supersede(record.order)
        carried = [alias if tensor is mutated else tensor for tensor in call.carried]
        result = self._record(call._replace(args=(alias, *call.args[1:]), carried=carried))
        if result is alias:
            return mutated
        self._provenance.rewrite(mutated, result, call.order)
        return result

    def _constant(self, name: str, result: Any) -> Any:
        if not (self._provenance.has_left and name in operations.ARRIVALS):
            self._provenance.add_constants(tensors(result))
        return result

    def _record(self, call: Call) -> Any:
        made = self._operation_rules.run(call)
        if any(made.result is tensor for tensor in call.carried):  # such as dropout in evaluation mode: no operation
            return made.result
        self.prefix_tokens.note(call.name, call.args, call.kwargs, lambda tensor: bool(self._provenance.get(tensor)))
        if made.activated:
            self._provenance.forget_convolutions([*call.carried, made.activated.before])
        outputs = tensors(made.result)
        if outputs:
            self._flow.add(call.order, frozenset([self._provenance[source].order for source in made.sources]))
            read = made.sources if made.activated else call.carried
            self._reads.add(call.order, frozenset([self._provenance[source].order for source in read]))
            self._note_landmark(call, made)
        for tensor in outputs:
            known = self._provenance.get(tensor)
            self._provenance[tensor] = Record(
                order=call.order,
                channels=made.channels,
                is_weight=made.is_weight,
                activated=made.activated,
                convolved=made.convolved,
                steps=made.steps or (known.steps if known else ()),
            )
        return made.result

    def _note_landmark(self, call: Call, made: CallResult) -> None:
        if made.unknown:
            self._landmarks.add_unknown(call.order, made.unknown)
        if made.may_be_activation:
            self._opaque[call.order] = made.unknown or f"{call.full_name} over axes that were moved"
        if made.channels is not None and isinstance(made.result, Tensor):
            self._landmarks.add_vectors(Vectors.of(call.order, made.result, made.activated, made.channels))
        if made.is_affine:
            self._landmarks.add_affine(call.order)
        for source in made.sources if made.continues or call.name in operations.SUMS else ():
            self._landmarks.supersede(self._provenance[source].order)


def _submodule(network: nn.Module, name: str) -> nn.Module:
    modules: dict[str, nn.Module] = dict(network.named_modules())
    if name not in modules:
        known = ", ".join(child for child, _ in network.named_children())
        raise ModelError(f"layer {name!r}: the network has no module of this name (its top modules: {known})")
    return modules[name]
