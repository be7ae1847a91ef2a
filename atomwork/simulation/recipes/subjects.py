"""What the frames of the detector's test and validation sets show: every kind of structure, imaged by abTEM.

The test set shows the named crystals of `crystals` and every way to build with them. The validation set, on which bounds and
rivals are tuned, shows crystals that the test set lacks, built in the same ways.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from atomwork.simulation import cuts, interfaces, particles, structures
from atomwork.simulation.crystals import Crystal, bulk, prismatic
from atomwork.simulation.optics import Lens

REPEATING, WIDE, NARROW = 24.0, 44.0, 32.0  # Å, side of a specimen that repeats, of a thin and of a thick one that doesn't
THICK, THIN = (15.0, 30.0), (10.0, 15.0)  # Å, of bulk crystals that repeat and that don't
FILM = 8.0  # Å of carbon
ADF = {"inner": 45.0, "outer": 85.0, "lens": Lens(energy=200e3, semiangle_cutoff=25.0)}
GENTLE = {"inner": 45.0, "outer": 85.0, "lens": Lens(energy=80e3, semiangle_cutoff=30.0)}  # below carbon's knock-on threshold
ABF = {"inner": 11.0, "outer": 23.0, "lens": Lens(energy=200e3, semiangle_cutoff=23.0)}
VIBRATING = {"phonons": 2}


@dataclass(frozen=True)
class Subject:
    """A kind of specimen and how it is imaged.

    Attributes
    ----------
    group : str, under which its frames are scored
    build : function of a random generator that returns a `Specimen`
    imaging : dict, arguments of `imaging.stem`
    repeats : bool, its image goes on across the sides of its box
    dark : bool, its columns are darker than what surrounds them
    """

    group: str
    build: Callable
    imaging: dict = field(default_factory=lambda: ADF)
    repeats: bool = True
    dark: bool = False


def crystal(rng, material, size=REPEATING, thickness=THICK, **settings):
    """A crystal, those that are no layers of random thickness."""
    return structures.build(material, size, thickness=rng.uniform(*thickness), rng=rng, **settings)


def twisted(rng, material, angles=(4.0, 56.0)):
    """Two layers, one turned."""
    return structures.build(material, WIDE, layers=2, twist=rng.uniform(*angles), rng=rng)


def rippled(rng, material, size, steepest=0.02, **settings):
    """A crystal strained along a wave as long as the box."""
    wave, phase = 2 * np.pi / size, rng.uniform(0, 2 * np.pi, 2)

    def displacement(y, x):
        return (steepest / wave * np.sin(wave * x + phase[0]), steepest / wave * np.sin(wave * y + phase[1]))

    return structures.build(material, size, displacement=displacement, **settings)


def junction(rng, left, right, front, registry):
    """A lateral heterojunction with a rough front."""
    return interfaces.heterojunction(left, right, WIDE, front=front, registry=registry, roughness=0.2, rng=rng)


def boundary(rng, material, size, misorientations):
    """Two grains."""
    angles = {"misorientation": rng.uniform(*misorientations), "angle": rng.uniform(0, 180)}
    return interfaces.grain_boundary(material, size, **angles, rng=rng, thickness=rng.uniform(*THIN))


def twin(rng, material, direction, size=NARROW):
    """A twin whose line lies along a direction of its lattice [degrees]."""
    return interfaces.twin(material, size, rotation=-direction, thickness=rng.uniform(*THIN))


def hole(rng, material, size, **settings):
    """A crystal with a ragged hole in its middle."""
    whole = structures.build(material, size, **settings)
    return cuts.void(whole, np.array(whole.size) / 2, rng.uniform(0.15, 0.3) * size, rng=rng, roughness=0.15)


def rim(rng, material, size, **settings):
    """The rough edge of a crystal."""
    whole = structures.build(material, size, **settings)
    return cuts.edge(whole, rng.uniform(0, 360), rng.uniform(-0.15, 0.15) * size, rng=rng, roughness=2.0)


def particle(rng, material):
    """A nanoparticle on thin carbon."""
    return particles.nanoparticle(material, NARROW, rng.uniform(18, 24), rng=rng, support_thickness=FILM)


def atoms_on_carbon(rng, symbol):
    """Single atoms on thin carbon."""
    number = int(rng.uniform(0.01, 0.04) * NARROW**2)
    return particles.single_atoms(symbol, NARROW, number, closest=2.5, support_thickness=FILM, rng=rng)


def shown(group, names, build, imaging=ADF, **settings):
    """Subjects of one group that differ in their material alone, by name."""
    return {label(name): Subject(group, partial(build, material=name), imaging, **settings) for name in names}


def label(material):
    """The name of a material."""
    return getattr(material, "name", material)


def stacked(material, layers, stacking=None):
    """A few layers, by name."""
    build = partial(crystal, material=material, layers=layers, stacking=stacking)
    return {f"{label(material)} × {layers} {stacking or ''}".strip(): Subject("layers", build)}


def bright_field(*materials):
    """Annular bright field of bulk crystals, by name."""
    found = shown("bright field", materials, crystal, ABF | VIBRATING, dark=True)
    return {f"{name}, bright field": subject for name, subject in found.items()}


def defective(material, imaging=ADF, size=WIDE / 2, **shares):
    """Point defects in random places, by name."""
    build = partial(crystal, material=material, size=size, defects=shares, thickness=THIN)
    return {f"{label(material)} with {', '.join(shares)}": Subject("point defects", build, imaging)}


def named(group, name, build, imaging=ADF, repeats=False):
    """One subject by name."""
    return {name: Subject(group, build, imaging, repeats)}


LINES, CUTS, BENT = "junctions and boundaries", "edges and voids", "strained"
TEST = {
    **shown("monolayers", ("MoS2", "WS2", "MoSe2", "WSe2", "ReS2 1T′"), crystal),
    **shown("monolayers", ("ReS2 1T″",), partial(crystal, size=WIDE), repeats=False),
    **shown("monolayers", ("graphene",), crystal, GENTLE),
    **stacked("MoS2", 2),
    **stacked("MoS2", 2, "AB"),
    **stacked("WS2", 2),
    **stacked("WSe2", 3),
    **named("layers", "graphene × 2", partial(crystal, material="graphene", layers=2), GENTLE, repeats=True),
    **named("layers", "MoS2, twisted", partial(twisted, material="MoS2")),
    **named("layers", "WSe2, twisted", partial(twisted, material="WSe2")),
    **shown("crystals", ("SrTiO3 [001]", "SrTiO3 [110]", "Si [110]", "Pt [110]", "Au [100]"), crystal, ADF | VIBRATING),
    **shown("crystals", ("NiO [110]", "DyScO3 [010]", "TiO2 [001]", "TiO2 anatase [100]"), crystal, ADF | VIBRATING),
    **shown("crystals", ("LiNiO2 [100]", "Bi2O2Se [100]", "BaTiO3 [100]"), crystal, ADF | VIBRATING),
    **bright_field("SrTiO3 [110]", "BaTiO3 [100]", "LiNiO2 [100]", "TiO2 [001]", "NiO [100]", "Si [110]", "DyScO3 [010]"),
    **defective("MoS2", V_S=0.05, V_S2=0.03, V_Mo=0.02),
    **defective("WSe2", V_Se=0.05, Mo_W=0.05),
    **defective("WS2", V_W=0.03, W_S2=0.02),
    **defective("graphene", GENTLE, V_C=0.02),
    **defective("SrTiO3 [001]", size=NARROW, V_Sr=0.03, Ti_Sr=0.02),
    **named(LINES, "MoS2|WS2, zigzag", partial(junction, left="MoS2", right="WS2", front="zigzag", registry="bridge")),
    **named(LINES, "MoSe2|WSe2, armchair", partial(junction, left="MoSe2", right="WSe2", front="armchair", registry="hollow")),
    **named(LINES, "MoS2, grains", partial(boundary, material="MoS2", size=WIDE, misorientations=(8, 52))),
    **named(LINES, "graphene, grains", partial(boundary, material="graphene", size=NARROW, misorientations=(8, 52)), GENTLE),
    **named(LINES, "SrTiO3, grains", partial(boundary, material="SrTiO3", size=NARROW, misorientations=(10, 80))),
    **named(LINES, "Si, twin", partial(twin, material="Si", direction=35.264)),
    **named(CUTS, "MoS2, hole", partial(hole, material="MoS2", size=WIDE)),
    **named(CUTS, "WSe2, edge", partial(rim, material="WSe2", size=WIDE)),
    **named(CUTS, "Si, hole", partial(hole, material="Si", size=NARROW, thickness=THIN[0])),
    **named(BENT, "MoS2, strained", partial(rippled, material="MoS2", size=WIDE)),
    **named(BENT, "SrTiO3, strained", partial(rippled, material="SrTiO3", size=NARROW, thickness=THIN[0])),
    **named("particles", "Pt particle", partial(particle, material="Pt")),
    **named("particles", "Au particle", partial(particle, material="Au [100]")),
    **named("single atoms", "Pt atoms", partial(atoms_on_carbon, symbol="Pt")),
    **named("single atoms", "Au atoms", partial(atoms_on_carbon, symbol="Au")),
    **named("single atoms", "W atoms", partial(atoms_on_carbon, symbol="W")),
}

NBSE2 = Crystal("NbSe2", prismatic("Nb", "Se", 3.44, 3.35, 6.27), layered=True, stacking="AA′")
TASE2 = Crystal("TaSe2", prismatic("Ta", "Se", 3.43, 3.35, 6.35), layered=True, stacking="AA′")
LAALO3 = bulk(221, (3.79,) * 3 + (90,) * 3, ("La", 0, 0, 0), ("Al", 0.5, 0.5, 0.5), ("O", 0.5, 0.5, 0))
GAAS = bulk(216, (5.653,) * 3 + (90,) * 3, ("Ga", 0, 0, 0), ("As", 0.25, 0.25, 0.25))
CEO2 = bulk(225, (5.411,) * 3 + (90,) * 3, ("Ce", 0, 0, 0), ("O", 0.25, 0.25, 0.25))
SNO2 = bulk(136, (4.737, 4.737, 3.186, 90, 90, 90), ("Sn", 0, 0, 0), ("O", 0.307, 0.307, 0))
COPPER = Crystal("Cu [110]", bulk(225, (3.615,) * 3 + (90,) * 3, ("Cu", 0, 0, 0)), (1, 1, 0))
SOLIDS = (
    Crystal("LaAlO3 [001]", LAALO3),
    Crystal("GaAs [110]", GAAS, (1, 1, 0)),
    Crystal("CeO2 [110]", CEO2, (1, 1, 0)),
    Crystal("SnO2 [001]", SNO2),
    COPPER,
)
VALIDATION = {
    **shown("monolayers", (NBSE2, TASE2), crystal),
    **stacked(NBSE2, 2),
    **stacked(TASE2, 2, "AB"),
    **named("layers", "NbSe2, twisted", partial(twisted, material=NBSE2)),
    **shown("crystals", SOLIDS, crystal, ADF | VIBRATING),
    **bright_field(SOLIDS[0], SOLIDS[2], SOLIDS[3]),
    **defective(NBSE2, V_Se=0.05, V_Se2=0.03, V_Nb=0.02),
    **defective(TASE2, V_Se2=0.04, Nb_Ta=0.05),
    **named(LINES, "TaSe2, grains", partial(boundary, material=TASE2, size=WIDE, misorientations=(8, 52))),
    **named(LINES, "GaAs, grains", partial(boundary, material=SOLIDS[1], size=NARROW, misorientations=(10, 80))),
    **named(CUTS, "NbSe2, hole", partial(hole, material=NBSE2, size=WIDE)),
    **named(BENT, "TaSe2, strained", partial(rippled, material=TASE2, size=WIDE)),
    **named("particles", "Cu particle", partial(particle, material=COPPER)),
    **named("single atoms", "Ir atoms", partial(atoms_on_carbon, symbol="Ir")),
    **named("single atoms", "Ce atoms", partial(atoms_on_carbon, symbol="Ce")),
}
