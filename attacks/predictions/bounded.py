"""Attacks of torchattacks within a ball whose radius is the strength, as plain facts."""

from dataclasses import replace
from functools import partial

from attacks.entries import EPSILON, L2_EPSILON
from attacks.predictions.entries import LibraryAttack

ONE = "(1 forward, 1 backward)"
STEPS = f"steps x {ONE}"
RELIABLE = "Croce, Hein, ICML 2020 (Reliable evaluation)"
SMOOTHED = "Salman et al., NeurIPS 2019"
ACCELERATED = "Lin et al., ICLR 2020"
VARIANCE = "Wang, He, CVPR 2021"
NOISE = {"noise_type": ("gaussian", "uniform")}

_linf = partial(LibraryAttack, access="white box", norm="L-inf", strength=EPSILON)
_steps = partial(_linf, budget=("steps",), proportional_to=("steps",), cost=STEPS)


def _l2(attack: LibraryAttack) -> LibraryAttack:
    return attack.in_l2(f"{attack.title}, L2")


PGDRS = _linf(
    name="pgdrs",
    title="PGD on the smoothed network",
    library_class="PGDRS",
    goal="any class but the label, of the network under noise",
    budget=("steps", "noise_batch_size"),
    proportional_to=("steps",),
    cost=f"steps x noise_batch_size x {ONE}",
    own_defaults={"noise_type": "gaussian"},
    choices=NOISE,
    reference=SMOOTHED,
)
VMI_FGSM = _linf(
    name="vmi_fgsm",
    title="VMI-FGSM",
    library_class="VMIFGSM",
    budget=("steps", "N"),
    proportional_to=("steps",),
    cost=f"steps x (1 + N) x {ONE}",
    reference=VARIANCE,
)
PI_FGSM = _linf(
    name="pi_fgsm",
    title="PI-FGSM",
    library_class="PIFGSM",
    radius="max_epsilon",
    not_offered=("momentum", "prob"),
    budget=("num_iter_set",),
    proportional_to=("num_iter_set",),
    cost=f"num_iter_set x {ONE}",
    channels=(3,),
    stochastic=False,
    reference="Gao et al., ECCV 2020",
)

STEPPING = (
    _linf(
        name="fgsm",
        title="FGSM",
        library_class="FGSM",
        cost="1 forward, 1 backward",
        stochastic=False,
        reference="Goodfellow, Shlens, Szegedy, ICLR 2015",
    ),
    _linf(
        name="ffgsm",
        title="FGSM, random start",
        library_class="FFGSM",
        cost="1 forward, 1 backward",
        reference="Wong, Rice, Kolter, ICLR 2020",
    ),
    _steps(name="rfgsm", title="R+FGSM", library_class="RFGSM", reference="Tramer et al., ICLR 2018"),
    _steps(
        name="bim",
        title="BIM",
        library_class="BIM",
        stochastic=False,
        reference="Kurakin, Goodfellow, Bengio, ICLR 2017 (workshop)",
    ),
    _steps(name="pgd", title="PGD", library_class="PGD", reference="Madry et al., ICLR 2018"),
    _steps(
        name="pgd_l2",
        title="PGD, L2",
        library_class="PGDL2",
        norm="L2",
        strength=L2_EPSILON,
        own_defaults={"eps_for_division": 1e-30},
        reference="Madry et al., ICLR 2018",
    ),
    _linf(
        name="eot_pgd",
        title="EOT-PGD",
        library_class="EOTPGD",
        budget=("steps", "eot_iter"),
        proportional_to=("steps",),
        cost=f"steps x eot_iter x {ONE}",
        reference="Zimmermann, arXiv 1907.00895 (2019)",
    ),
    _linf(
        name="upgd",
        title="UPGD",
        library_class="UPGD",
        budget=("steps", "eot_iter"),
        proportional_to=("steps",),
        cost=f"steps x eot_iter x {ONE}",
        choices={"loss": ("ce", "dlr", "margin")},
        stochastic=False,
        reference="torchattacks: PGD with momentum and a choice of losses",
    ),
    _steps(
        name="tpgd",
        title="TPGD",
        library_class="TPGD",
        goal="answers far from the clean ones (Kullback-Leibler)",
        reference="Zhang et al., ICML 2019",
    ),
    _steps(
        name="jitter",
        title="Jitter",
        library_class="Jitter",
        own_defaults={"scale": 10.0},
        reference="Schwinn et al., Applied Intelligence 2023",
    ),
    PGDRS,
    replace(
        PGDRS,
        name="pgdrs_l2",
        title="PGD on the smoothed network, L2",
        library_class="PGDRSL2",
        norm="L2",
        strength=L2_EPSILON,
        own_defaults={"noise_type": "gaussian", "eps_for_division": 1e-30},
    ),
)

FOR_TRANSFER = (
    _steps(
        name="mi_fgsm", title="MI-FGSM", library_class="MIFGSM", stochastic=False, reference="Dong et al., CVPR 2018"
    ),
    _steps(name="ni_fgsm", title="NI-FGSM", library_class="NIFGSM", stochastic=False, reference=ACCELERATED),
    _linf(
        name="si_ni_fgsm",
        title="SI-NI-FGSM",
        library_class="SINIFGSM",
        budget=("steps", "m"),
        proportional_to=("steps",),
        cost=f"steps x m x {ONE}",
        stochastic=False,
        reference=ACCELERATED,
    ),
    VMI_FGSM,
    replace(VMI_FGSM, name="vni_fgsm", title="VNI-FGSM", library_class="VNIFGSM"),
    _steps(name="di_fgsm", title="DI-FGSM", library_class="DIFGSM", reference="Xie et al., CVPR 2019"),
    _steps(
        name="ti_fgsm",
        title="TI-DI-FGSM",
        library_class="TIFGSM",
        own_defaults={"nsig": 3.0},
        choices={"kernel_name": ("gaussian", "linear", "uniform")},
        channels=(3,),
        reference="Dong et al., CVPR 2019",
    ),
    PI_FGSM,
    replace(
        PI_FGSM,
        name="pi_fgsm_plus_plus",
        title="PI-FGSM++",
        library_class="PIFGSMPP",
        reference="Gao et al., arXiv 2012.15503 (2020)",
    ),
)

APGD_CE = _linf(
    name="apgd_ce",
    title="APGD-CE",
    library_class="APGD",
    fixed={"loss": "ce"},
    budget=("steps", "n_restarts", "eot_iter"),
    proportional_to=("steps",),
    cost=f"n_restarts x (steps + 1) x eot_iter x {ONE}",
    reference=RELIABLE,
)
APGD_DLR = replace(APGD_CE, name="apgd_dlr", title="APGD-DLR", fixed={"loss": "dlr"}, least_classes=3)
APGD_T = replace(
    APGD_CE,
    name="apgd_t",
    title="APGD-T",
    library_class="APGDT",
    fixed={},
    cost=f"(up to 9 classes) x n_restarts x (steps + 1) x eot_iter x {ONE}",
    clean_where_it_fails=True,
    least_classes=4,
)
FAB = _linf(
    name="fab",
    title="FAB",
    library_class="FAB",
    budget=("steps", "n_restarts"),
    proportional_to=("steps",),
    cost="n_restarts x steps x (2 forward, 1 backward for each class)",
    stochastic=False,
    smallest=True,
    clean_where_it_fails=True,
    reference="Croce, Hein, ICML 2020 (Minimally distorted)",
)
SQUARE = _linf(
    name="square",
    title="Square Attack",
    library_class="Square",
    access="scores only",
    budget=("n_queries", "n_restarts"),
    proportional_to=("n_queries",),
    cost="n_restarts x n_queries x (1 forward), less where it succeeds",
    choices={"loss": ("margin", "ce")},
    clean_where_it_fails=True,
    reference="Andriushchenko et al., ECCV 2020",
)
SPSA = _linf(
    name="spsa",
    title="SPSA",
    library_class="SPSA",
    access="scores only",
    step="lr",
    own_defaults={"nb_iter": 10, "relative_step": 0.25},
    budget=("nb_iter", "nb_sample"),
    proportional_to=("nb_iter",),
    cost="nb_iter x nb_sample x (2 forward)",
    reference="Uesato et al., ICML 2018",
)
AUTO_ATTACK = _linf(
    name="auto_attack",
    title="AutoAttack",
    library_class="AutoAttack",
    own_defaults={"steps": 100, "n_queries": 5000},
    choices={"version": ("standard", "plus", "rand")},
    budget=("steps", "n_queries"),
    proportional_to=("steps", "n_queries"),
    cost="APGD-CE, then APGD-T, FAB-T and Square on what is left",
    smallest=True,
    clean_where_it_fails=True,
    least_classes=4,
    reference=RELIABLE,
)

BOUNDED = (
    *STEPPING,
    *FOR_TRANSFER,
    *(APGD_CE, _l2(APGD_CE), APGD_DLR, _l2(APGD_DLR), APGD_T, _l2(APGD_T)),
    *(FAB, _l2(FAB), SQUARE, replace(_l2(SQUARE), stripes=True), SPSA),
    *(AUTO_ATTACK, replace(_l2(AUTO_ATTACK), stripes=True)),
)
