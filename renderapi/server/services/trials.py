"""MatchService: match trials, which find the matches of two canvases with parameters that are tried."""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote, urlencode

from renderapi import _json
from renderapi._extras import install_line
from renderapi._ordering import java_key
from renderapi.errors import SpecError
from renderapi.server.documents.keys import StackKey
from renderapi.server.documents.problems import MissingError, Problem
from renderapi.server.documents.tiles import Document
from renderapi.server.documents.values import (
    Rules,
    as_boolean,
    as_integer,
    as_number,
    as_object,
    as_text,
    double_of_text,
    fields,
    one_of,
)
from renderapi.server.endpoints import turns
from renderapi.server.endpoints.declaring import (
    OK,
    OWNER,
    Answer,
    Context,
    json_bytes,
    json_of,
)
from renderapi.server.endpoints.refusals import Refusal, not_built
from renderapi.server.services.matches import service as service  # noqa: PLC0414 - app takes it from here
from renderapi.server.services.parameters import (
    TILE_QUERY,
    layer_parameters,
    tile_parameters,
)
from renderapi.server.store import trials as rows

if TYPE_CHECKING:
    from renderapi.match import Features, PairMatches, Stage

#: What a trial may take: pixels of a canvas, features of it, iterations, and seconds from when it has a core.
MAX_PIXELS = 1 << 24
MAX_FEATURES = 50_000
MAX_ITERATIONS = 10_000
MAX_SECONDS = 60.0
_LESS = "; use a smaller scale (in the URL of p) or maxScale"

_HOW = "featureAndMatchParameters"
_GEOMETRIC = "geometricDescriptorAndMatchFilterParameters"
_SIFT: Rules = {"fdSize": as_integer, "minScale": as_number, "maxScale": as_number, "steps": as_integer}
_MODEL = one_of(("TRANSLATION", "SIMILARITY", "AFFINE", "RIGID"))
_DERIVATION: Rules = {
    "matchRod": as_number,
    "matchModelType": _MODEL,
    "matchRegularizerModelType": _MODEL,
    "matchInterpolatedModelLambda": as_number,
    "matchIterations": as_integer,
    "matchMaxEpsilon": as_number,
    "matchMaxEpsilonFullScale": as_number,
    "matchMinInlierRatio": as_number,
    "matchMinNumInliers": as_integer,
    "matchMaxNumInliers": as_integer,
    "matchMaxTrust": as_number,
    "matchFilter": one_of(("NONE", "SINGLE_SET", "CONSENSUS_SETS", "AGGREGATED_CONSENSUS_SETS")),
    "matchFullScaleCoverageRadius": as_number,
    "matchMinCoveragePercentage": as_number,
}
_CLIP: Rules = {"pClipPosition": one_of(("TOP", "BOTTOM", "LEFT", "RIGHT")), "clipPixels": as_integer}
_DESCRIPTORS: Rules = {
    "numberOfNeighbors": as_integer,
    "redundancy": as_integer,
    "significance": as_number,
    "sigma": as_number,
    "threshold": as_number,
    "localization": as_text,
    "lookForMinima": as_boolean,
    "lookForMaxima": as_boolean,
    "similarOrientation": as_boolean,
    "fullScaleBlockRadius": as_number,
    "fullScaleNonMaxSuppressionRadius": as_number,
    "gdStoredMatchWeight": as_number,
}
_DESCRIPTOR_DEFAULTS = {
    "numberOfNeighbors": 3,
    "redundancy": 1,
    "significance": 2.0,
    "sigma": 2.04,
    "threshold": 0.008,
    "localization": "THREE_D_QUADRATIC",
    "lookForMinima": False,
    "lookForMaxima": False,
    "similarOrientation": True,
}
# the key of a trial in the data base of render-ws
_OBJECT_ID = re.compile(r"[0-9A-Fa-f]{24}")
_STACK = r".*/owner/([^/?]+)/project/([^/?]+)/stack/([^/?]+)"
_TILE_URL = re.compile(rf"({_STACK}/tile/)([^/?]+)/render-parameters(.*)", re.DOTALL)
_LAYER_URL = re.compile(rf"({_STACK}/z/)([^/?]+)/render-parameters(.*)", re.DOTALL)


@service.post(OWNER + "/matchTrial")
def run_match_trial(server: Context, owner: str, body: Any) -> Answer:
    """Derive the matches of two tiles of this server, and keep them as a trial."""
    given = as_object(body, "match trial parameters")
    if given is None:
        raise Refusal(400, "no parameters provided")
    parameters = _parameters(given)
    p, q = (_side(server, parameters[f"{side}RenderParametersUrl"]) for side in "pq")
    if java_key(p.id) > java_key(q.id):
        raise Refusal(
            400,
            f"P and Q render parameters URLs must be swapped because P canvasId {p.id} is greater than Q "
            f"canvasId {q.id}",
        )
    if p.id == q.id:
        raise Refusal(400, f"both IDs are the same: '{p.id}'")
    query, words = _look(p)
    stage = _stage(parameters[_HOW], query["scale"])
    documents = [_document(server, side, query, words) for side in (p, q)]
    found = _matched(server, documents, stage, parameters[_HOW].get("pClipPosition"))
    trial = {"parameters": parameters, "matches": _matches(found), "stats": _stats(found)}
    name = _new_id()
    with server.store.write() as connection:
        rows.save(connection, name, _json.dumps(trial))
    return json_of({"id": name, **trial})


@service.get(OWNER + "/matchTrial/{trialId}")
def match_trial(server: Context, owner: str, trialId: str) -> Answer:
    """Return a match trial; as in render-ws it is without its id, whoever's it is."""
    name = _checked_id(trialId)
    with server.store.read() as connection:
        found = rows.get(connection, name)
    if found is None:
        where = "match.aaa_match_trial collection"
        raise Refusal(404, f"match trial with id '{trialId}' does not exist in the {where}")
    return json_bytes(found)


@service.delete(OWNER + "/matchTrial/{trialId}")
def delete_match_trial(server: Context, owner: str, trialId: str) -> Answer:
    """Delete a match trial; one that does not exist is deleted already."""
    name = _checked_id(trialId)
    with server.store.write() as connection:
        rows.delete(connection, name)
    return OK


def _checked_id(trial_id: str) -> str:
    if not _OBJECT_ID.fullmatch(trial_id):
        raise Refusal(400, f"invalid hexadecimal representation of an ObjectId: [{trial_id}]")
    return trial_id.lower()


def _new_id() -> str:
    # as MongoDB makes them: seconds first, so that later ones are greater
    return f"{int(time.time()):08x}{secrets.token_hex(8)}"


# ------------------------------------------------------------------------------ what is asked for


def _parameters(given: Document) -> Document:
    """Read the parameters of a trial, with defaults filled in."""
    how = as_object(given.get(_HOW), _HOW)
    if how is None:
        raise Refusal(400, f"{_HOW} are not defined")
    sift = fields(how.get("siftFeatureParameters"), "siftFeatureParameters", _SIFT)
    if sift is None:
        raise Refusal(400, "siftFeatureParameters must be defined")
    derivation = fields(how.get("matchDerivationParameters"), "matchDerivationParameters", _DERIVATION)
    if derivation is None:
        raise Refusal(400, "feature matchDerivationParameters must be defined")
    regularizer = ("matchRegularizerModelType", "matchInterpolatedModelLambda")
    clip = fields(how, _HOW, _CLIP) or {}
    for names, place, said in (
        (regularizer, derivation, "feature {} must be defined since {} is defined"),
        (("clipPixels", "pClipPosition"), clip, "{} must be defined when {} is defined"),
    ):
        for missing, present in (names, names[::-1]):
            if missing not in place and present in place:
                raise Refusal(400, said.format(missing, present))
    urls = {name: as_text(given.get(name), name) for name in ("pRenderParametersUrl", "qRenderParametersUrl")}
    for name, url in urls.items():
        if url is None:
            raise Refusal(400, f"{name} is not defined")
    from renderapi.match import FeatureExtraction, MatchDerivation

    try:
        read: Document = {
            _HOW: {
                "siftFeatureParameters": asdict(FeatureExtraction(**sift)),
                "matchDerivationParameters": _filled(MatchDerivation(**derivation)),
                **clip,
            },
            **urls,
        }
        if given.get(_GEOMETRIC) is not None:
            read[_GEOMETRIC] = _geometric(given[_GEOMETRIC])
    except SpecError as problem:
        raise Refusal(400, str(problem)) from None
    return read


def _filled(derivation: Any) -> Document:
    return {name: value for name, value in asdict(derivation).items() if value is not None}


def _geometric(given: Any) -> Document:
    from renderapi.match import MatchDerivation

    read = fields(
        given,
        _GEOMETRIC,
        {
            "gdEnabled": as_boolean,
            "renderScale": as_number,
            "renderWithFilter": as_boolean,
            "renderFilterListName": as_text,
            "geometricDescriptorParameters": lambda value, where: fields(value, where, _DESCRIPTORS),
            "matchDerivationParameters": lambda value, where: fields(value, where, _DERIVATION),
            "runGeoRegardlessOfSiftResults": as_boolean,
            "minCombinedInliers": as_integer,
            "minCombinedCoveragePercentage": as_number,
        },
    )
    read = read or {}
    if read.get("gdEnabled"):
        raise not_built("geometric descriptors in match trials")
    derivation = MatchDerivation(**read.get("matchDerivationParameters", {}))
    descriptors = {**_DESCRIPTOR_DEFAULTS, **read.get("geometricDescriptorParameters", {})}
    return {
        **read,
        "geometricDescriptorParameters": descriptors,
        "matchDerivationParameters": _filled(derivation),
        "runGeoRegardlessOfSiftResults": read.get("runGeoRegardlessOfSiftResults", False),
    }


@dataclass(frozen=True)
class _Side:
    # one of the two canvases, as its URL names it
    prefix: str
    stack: StackKey
    name: str
    asked: str
    is_layer: bool

    @property
    def id(self) -> str:
        return unquote(self.name)


def _side(server: Context, url: str) -> _Side:
    """Read the URL of a canvas. It is looked for in this server, which asks no other, whatever host is named."""
    is_layer = False
    found = _TILE_URL.fullmatch(url)
    if found is None and server.newsolver:
        found, is_layer = _LAYER_URL.fullmatch(url), True
    if found is None:
        raise Refusal(400, f"tileUrlString '{url}' does not match pattern")
    prefix, owner, project, stack, name, rest = found.groups()
    return _Side(prefix, StackKey(*map(unquote, (owner, project, stack))), name, rest, is_layer)


def _look(p: _Side) -> tuple[dict[str, Any], dict[str, str]]:
    """Read how both canvases are drawn, which the URL of p says: values, and the words of a query for them."""
    asked = parse_qs(p.asked.partition("?")[2], keep_blank_values=True)
    try:
        query = {name: rule.read(name, asked.get(name, [])) for name, rule in TILE_QUERY.items()}
    except Refusal as refusal:
        raise Refusal(400, refusal.message) from None
    kept = {
        name: query[name] for name in ("width", "height", "scale", "filter", "filterListName", "excludeMask")
    }
    # what is not said is not what it is for others who draw
    defaults = {"scale": 1.0, "filter": True, "excludeMask": True}
    kept = {name: defaults.get(name) if value is None else value for name, value in kept.items()}
    words = {
        name: "true" if value is True else str(value)
        for name, value in kept.items()
        if value is not None and value is not False
    }
    words["normalizeForMatching"] = "true"
    if p.is_layer and "tileIdPattern" in asked:
        words["tileIdPattern"] = kept["tileIdPattern"] = asked["tileIdPattern"][0]
    return kept, words


def _document(server: Context, side: _Side, query: Mapping[str, Any], words: Mapping[str, str]) -> Document:
    try:
        key = side.stack.checked()
        if side.is_layer:
            return layer_parameters(server, key, double_of_text(side.id), dict(query)).document()
        nothing = {name: rule.read(name, []) for name, rule in TILE_QUERY.items()}
        asked = {**nothing, **query, "normalizeForMatching": True}
        return tile_parameters(server, key, side.id, **asked).document()
    except (Problem, ValueError) as problem:
        address = f"{side.prefix}{side.name}/render-parameters?{urlencode(words)}"
        why = "" if isinstance(problem, MissingError) else f": {problem}"
        raise Refusal(400, f"failed to load render parameters from {address}{why}") from None


def _stage(how: Document, scale: float) -> Stage:
    from renderapi.match import MatchParametersError, read_stages

    derivation = how["matchDerivationParameters"]
    if derivation["matchIterations"] > MAX_ITERATIONS:
        raise Refusal(
            400, f"matchIterations is {derivation['matchIterations']}; here at most {MAX_ITERATIONS} are done"
        )
    try:
        [stage] = read_stages(
            {
                "stageName": "trial",
                "featureRender": {"renderScale": scale},
                "featureRenderClip": dict.fromkeys(("clipWidth", "clipHeight"), how.get("clipPixels")),
                "featureExtraction": how["siftFeatureParameters"],
                "featureMatchDerivation": derivation,
            }
        )
    except MatchParametersError as problem:
        # render-ws stumbles over what has no default
        lacks = not {"matchMaxEpsilon", "matchMaxEpsilonFullScale"} & derivation.keys()
        raise Refusal(500 if lacks else 400, str(problem)) from None
    return stage


# ------------------------------------------------------------------------------ what is found


def _matched(server: Context, documents: list[Document], stage: Stage, position: str | None) -> PairMatches:
    if find_spec("cv2") is None:
        raise Refusal(501, f"match trials need OpenCV where the server runs: {install_line('match')}")
    from renderapi.match import match_canvases

    for document in documents:
        _check_size(document, stage, position)
    with server.drawing.turn():
        end = time.monotonic() + MAX_SECONDS

        def check(features: Features | None) -> None:
            turns.check()
            if time.monotonic() > end:
                raise Refusal(
                    400, f"the trial takes longer than the {MAX_SECONDS:g} seconds that it may here{_LESS}"
                )
            if features is not None and len(features) > MAX_FEATURES:
                raise Refusal(400, f"a canvas has {len(features)} features, more than {MAX_FEATURES}{_LESS}")

        found = match_canvases(
            documents[0],
            documents[1],
            stage,
            p_position=position,
            quality=True,
            sources=server.drawing.sources,
            check=check,
        )
    if any(found.set_sizes) and found.quality is None:
        raise Refusal(400, "matches are insufficient for aligning pair")
    return found


def _check_size(document: Document, stage: Stage, position: str | None) -> None:
    size = [document["width"], document["height"]]
    if position is not None:
        size[position in ("TOP", "BOTTOM")] = stage.featureRenderClip.clipWidth
    scale = stage.featureRender.renderScale
    # numbers of a client: their product may be anything
    width, height = (float(side) * scale for side in size)
    steps = stage.featureExtraction.steps
    # of so many blurs of a canvas
    most = MAX_PIXELS * 6 // (steps + 3)
    if not 1 <= width * height <= most or min(width, height) < 0:
        raise Refusal(
            400,
            f"a canvas of {width:.0f} x {height:.0f} pixels cannot be matched here with {steps} steps; it must "
            f"have from 1 to {most} pixels",
        )


def _matches(found: PairMatches) -> list[Document]:
    return [{"p": p.T.tolist(), "q": q.T.tolist(), "w": [1.0] * len(p)} for p, q in found.sets]


def _stats(found: PairMatches) -> Document:
    spent = {step: round(1000 * seconds) for step, seconds in found.seconds.items()}
    stats: Document = {
        "pFeatureCount": found.features[0],
        "pFeatureDerivationMilliseconds": spent["p"],
        "qFeatureCount": found.features[1],
        "qFeatureDerivationMilliseconds": spent["q"],
        "consensusSetSizes": found.set_sizes,
        "matchDerivationMilliseconds": spent["matches"],
    }
    quality = found.quality
    if quality is not None:
        x, y = zip(*quality.deviations)
        stats.update(
            aggregateDeltaXStandardDeviation=quality.deviation[0],
            aggregateDeltaYStandardDeviation=quality.deviation[1],
            consensusSetDeltaXStandardDeviations=list(x),
            consensusSetDeltaYStandardDeviations=list(y),
            overlappingImagePixels=quality.overlap,
            overlappingCoveragePixels=quality.covered,
            matchQualityMilliseconds=spent["quality"],
        )
    return stats
