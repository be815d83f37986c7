"""From tiles to an aligned stack: pairs, matches, transforms and a report, in one call that can be repeated.

`align_montage` places the tiles of sections by their neighbours, `align_sections` places whole sections by the sections
beside them. What is found is stored as it is found: the same call goes on where one before it ended.
"""

from renderapi.align.montage import (
    AlignPlan,
    AlignReport,
    SectionOutcome,
    SectionPlan,
    align_montage,
    find_pairs,
    montage_stages,
    plan_montage,
)
from renderapi.align.report import SectionReport, report_section
from renderapi.align.sections import (
    SectionsPlan,
    SectionsReport,
    align_sections,
    draw_sections,
    plan_sections,
    section_stages,
)

__all__ = [
    "AlignPlan",
    "AlignReport",
    "SectionOutcome",
    "SectionPlan",
    "SectionReport",
    "SectionsPlan",
    "SectionsReport",
    "align_montage",
    "align_sections",
    "draw_sections",
    "find_pairs",
    "montage_stages",
    "plan_montage",
    "plan_sections",
    "report_section",
    "section_stages",
]
