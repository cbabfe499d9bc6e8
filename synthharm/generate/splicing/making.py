"""Making units of samples, each from the plan and its number alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import msgspec

from synthharm.composites.history import Jpeg
from synthharm.composites.manipulation import Edit, Paste
from synthharm.errors import Unusable
from synthharm.generate.sections import open_source
from synthharm.generate.splicing.colours import Colours
from synthharm.generate.splicing.draft import Draft
from synthharm.generate.splicing.drawing import Drawer
from synthharm.generate.splicing.histories import draw_history
from synthharm.generate.splicing.layout import Member, UnitKind
from synthharm.generate.splicing.plan import SplicingPlan
from synthharm.generate.splicing.positions import NoFit
from synthharm.generate.splicing.regions import Regions
from synthharm.generate.splicing.sample import Origin, SplicingSample, finish_sample
from synthharm.recipe import SplicingRecipe
from synthharm.sources import Reject, Source, read_listed

ATTEMPTS = 100  # draws for a unit before it is given up


@dataclass(frozen=True)
class SplicingMaker:
    """What a worker needs to make any unit of a plan."""

    plan: SplicingPlan
    source: Source
    colours: Colours

    @classmethod
    def of(cls, plan: SplicingPlan) -> SplicingMaker:
        """Open what the plan's recipe names."""
        return cls(plan, open_source(plan.recipe), Colours.of(plan.recipe))

    @property
    def recipe(self) -> SplicingRecipe:
        """The dataset's."""
        return self.plan.recipe

    def between(self, first: int, end: int) -> Iterator[tuple[Sequence[SplicingSample], list[Reject]]]:
        """See `synthharm.generate.workshop.Maker`."""
        for unit in self.plan.layout.units(first, end):
            yield self.make(unit)

    def make(self, unit: int) -> tuple[list[SplicingSample], list[Reject]]:
        """Make all samples of a unit, and say what was rejected on the way; none if no draw could be used."""
        rejects, last = list[Reject](), "nothing was drawn"
        for attempt in range(ATTEMPTS):
            try:
                return self._attempt(unit, attempt), rejects
            except NoFit as error:
                last = str(error)
            except Unusable as error:
                rejects.append(Reject(error.name, error.reason, error.detail))
                last = str(error)
        first = int(self.plan.layout.starts[unit])
        names = [f"sample {first + place}" for place in range(len(self.plan.layout.kind(unit).members))]
        detail = f"each of {ATTEMPTS} draws led nowhere; the last: {last}"
        return [], [*rejects, *(Reject(name, "no region", detail) for name in names)]

    def _attempt(self, unit: int, attempt: int) -> list[SplicingSample]:
        plan, kind = self.plan, self.plan.layout.kind(unit)
        number = plan.target(unit, attempt)
        photo = read_listed(self.source, plan.index, number)
        plan.check_photo(number, photo)
        target = Draft.of(photo, number)
        drawer = self._drawer(unit, attempt)
        drafts = self._drafts(kind, drawer, target)
        samples = []
        for place, (member, draft) in enumerate(zip(kind.members, drafts, strict=True)):
            random = plan.history_stream(unit, attempt)
            try:
                history, steps, save = draw_history(self.recipe, plan.cameras, random, draft.size)
            except ValueError as error:
                raise Unusable(photo.key, "not composed", f"its history: {error}") from error
            if kind.factor == "quality" and isinstance(save, Jpeg):
                assert member.value is not None
                save = Jpeg(int(member.value), None, save.subsampling)
            origin = Origin(
                sample=int(plan.layout.starts[unit]) + place,
                unit=unit,
                attempt=attempt,
                kind=kind,
                member=member,
                split=plan.split(number),
                seed=self.recipe.seed,
                history=history,
            )
            samples.append(finish_sample(origin, draft, steps, save, self.recipe.boundary))
        return samples

    def _drawer(self, unit: int, attempt: int) -> Drawer:
        plan, quotas = self.plan, self.recipe.quotas
        area, category = int(plan.layout.areas[unit]), int(plan.layout.categories[unit])
        random = plan.edits_stream(unit, attempt)
        return Drawer(
            plan=plan,
            regions=Regions(plan, self.source, random),
            colours=self.colours,
            random=random,
            area=None if area < 0 else quotas.area[area].range,
            category=None if category < 0 else list(quotas.category)[category],
        )

    def _drafts(self, kind: UnitKind, drawer: Drawer, target: Draft) -> list[Draft]:
        """One for each of the unit's samples."""
        if kind.type == "single":
            name = kind.members[0].kind
            return [target if name == "authentic" else drawer.draw(name, target)]
        splice = drawer.draw("splice", target, "as_is" if kind.type == "family" else None)
        if kind.type == "family":
            donor = Draft.of(splice.photos[1], splice.numbers[1])
            return [target, donor, splice, drawer.recoloured(splice, None)]
        return [_varied(kind.factor, member, splice, drawer) for member in kind.members]


def _varied(factor: str | None, member: Member, splice: Draft, drawer: Drawer) -> Draft:
    """A splice with one thing changed to a grid's value."""
    if factor == "colour":
        return drawer.recoloured(splice, str(member.value))
    if factor == "quality":
        return splice
    assert member.value is not None
    return drawer.again(splice, [_changed(factor, float(member.value), edit) for edit in splice.edits])


def _changed(factor: str | None, value: float, edit: Edit) -> Edit:
    assert isinstance(edit, Paste)
    if factor == "feather":
        return msgspec.structs.replace(edit, cut=msgspec.structs.replace(edit.cut, feather=value))
    placement = msgspec.structs.replace(edit.placement, scale=edit.placement.scale * value)
    return msgspec.structs.replace(edit, placement=placement)
