"""Attacks on the explanation as plain facts."""

from dataclasses import replace

from attacks.entries import EPSILON, PerturbationEntry

MANIPULATE = PerturbationEntry(
    name="manipulate",
    title="Manipulation",
    source="attacks.explanations.attacks:white_box",
    fixed={"aim": "target map", "norm": "L-inf"},
    family="attack on the explanation",
    goal="the map of another image, prediction kept",
    access="white box",
    norm="L-inf",
    strength=EPSILON,
    budget=("steps", "restarts"),
    cost="restarts x steps x (1 map differentiated twice, half a map)",
    attacks_attributor=True,
    reference="Dombrowski et al., NeurIPS 2019",
)


def _aiming(aim: str, name: str, title: str, goal: str, reference: str = "") -> PerturbationEntry:
    fixed = {**MANIPULATE.fixed, "aim": aim}
    return replace(MANIPULATE, name=name, title=title, goal=goal, fixed=fixed, reference=reference)


GHORBANI = "Ghorbani, Abid, Zou, AAAI 2019"

WHITE_BOX = (
    MANIPULATE,
    _aiming("other map", "untargeted", "Untargeted attack", "any other map, prediction kept", GHORBANI),
    _aiming("top-k", "top_k", "Top-k attack", "relevance leaves the clean map's top 5 %, prediction kept", GHORBANI),
    _aiming("mass centre", "mass_centre", "Mass-centre attack", "the map's centre moves, prediction kept", GHORBANI),
    replace(
        _aiming("hide object", "hide", "Hiding attack", "relevance leaves the object, prediction kept"),
        needs_masks=True,
    ),
    replace(
        _aiming(
            "flip, same map",
            "flip_and_keep",
            "Flip and keep",
            "another prediction, the map of the class before stays",
            "after Zhang et al., USENIX Security 2020",
        ),
        keeps_map=True,
        clean_where_it_fails=True,
    ),
)
ATTACKS_ON_EXPLANATIONS = (
    *WHITE_BOX,
    *(entry.in_l2(f"{entry.title} (L2)") for entry in WHITE_BOX),
    replace(
        MANIPULATE,
        name="black_box",
        title="Black-box manipulation",
        source="attacks.explanations.attacks:black_box",
        access="scores only",
        budget=("steps", "pairs"),
        cost="steps x (2 pairs + 1 / 2) maps",
        needs_gradient=False,
        reference="Tamam, Lapid, Sipper, 2022 (AttaXAI); Ilyas et al., ICML 2018",
    ),
    replace(
        MANIPULATE,
        name="universal",
        title="Universal attack",
        source="attacks.explanations.universal:universal",
        fixed={"aim": "other map", "norm": "L-inf"},
        goal="one displacement after which all maps are other ones, predictions kept",
        budget=("steps", "restarts"),
        cost="restarts x steps x (1 map differentiated twice, half a map) of the images it is fitted to, once",
        applied="attacks.explanations.universal:add_displacement",
        reference="after Moosavi-Dezfooli et al., CVPR 2017",
    ),
)
