"""Attacks of torchattacks without a strength, as plain facts: they look for a small change, or one of few pixels."""

from dataclasses import replace
from functools import partial

from attacks.predictions.entries import LibraryAttack

_unbounded = partial(LibraryAttack, norm=None, strength=None)
_smallest = partial(_unbounded, access="white box", smallest=True, stochastic=False)

EAD_EN = _smallest(
    name="ead_en",
    title="EAD, elastic net",
    library_class="EADEN",
    goal="any class but the label, by the smallest elastic-net distance",
    budget=("binary_search_steps", "max_iterations"),
    proportional_to=("max_iterations",),
    cost="binary_search_steps x max_iterations x (2 forward, 1 backward)",
    own_defaults={"kappa": 0.0},
    clean_where_it_fails=True,
    reference="Chen et al., AAAI 2018",
)

UNBOUNDED = (
    _smallest(
        name="cw",
        title="C&W, L2",
        library_class="CW",
        goal="any class but the label, by the smallest L2 distance",
        budget=("steps",),
        cost="steps x (1 forward, 1 backward)",
        own_defaults={"c": 1.0, "kappa": 0.0},
        clean_where_it_fails=True,
        reference="Carlini, Wagner, S&P 2017",
    ),
    _smallest(
        name="deep_fool",
        title="DeepFool",
        library_class="DeepFool",
        goal="any class but the label, by the smallest L2 distance",
        budget=("steps",),
        cost="up to steps x (1 forward, 1 backward for each class)",
        reference="Moosavi-Dezfooli, Fawzi, Frossard, CVPR 2016",
    ),
    EAD_EN,
    replace(
        EAD_EN,
        name="ead_l1",
        title="EAD, L1",
        library_class="EADL1",
        goal="any class but the label, by the smallest L1 distance",
    ),
    _smallest(
        name="sparse_fool",
        title="SparseFool",
        library_class="SparseFool",
        goal="any class but the label, by few channels of pixels",
        budget=("steps",),
        own_defaults={"lam": 3.0},
        cost="up to steps x (50 forward, 50 backward for each class)",
        reference="Modas, Moosavi-Dezfooli, Frossard, CVPR 2019",
    ),
    _smallest(
        name="jsma",
        title="JSMA",
        library_class="JSMA",
        goal="the most likely class but the label, by few channels of pixels",
        budget=("gamma",),
        cost="up to gamma / 2 x channels of pixels x (1 forward, 1 backward for each class)",
        reference="Papernot et al., EuroS&P 2016",
    ),
    _unbounded(
        name="one_pixel",
        title="One Pixel",
        library_class="OnePixel",
        goal="any class but the label, by few pixels",
        access="scores only",
        budget=("pixels", "steps", "popsize"),
        proportional_to=("steps",),
        cost="about steps x popsize x (1 forward)",
        reference="Su, Vargas, Sakurai, IEEE TEVC 2019",
    ),
    _unbounded(
        name="pixle",
        title="Pixle",
        library_class="Pixle",
        goal="any class but the label, by pixels that change places",
        access="scores only",
        not_offered=("x_dimensions", "y_dimensions"),
        choices={"pixel_mapping": ("random", "similarity", "similarity_random", "distance", "distance_random")},
        budget=("restarts", "max_iterations"),
        cost="up to restarts x max_iterations x (2 forward)",
        reference="Pomponi, Scardapane, Uncini, IJCNN 2022",
    ),
)
