"""Skills: forms and ids that are not what they should be."""

from __future__ import annotations

from typing import Any

from .case import Case

MISSING = "/v1/skills/skill_011CZkZ9X2dpNyB7HsEFoRfW"
VERSION = f"{MISSING}/versions/skver_011CZkZ9X2dpNyB7HsEFoRfW"
GOOD = b"---\nname: a-skill\ndescription: Does it.\n---\n"


def upload(name: str, says: str, *, part: str = "files[]", path: str = "f/SKILL.md", content: bytes = GOOD,
           **options: Any) -> Case:
    return Case(f"skill: {name}", "POST", "/v1/skills", says, files=[(part, (path, content, "text/markdown"))], **options)


CASES = [
    upload("another part", "upload: Extra inputs are not permitted", part="upload"),
    upload("another field", "x: Extra inputs are not permitted", form={"x": "1"}),
    upload("display name of two lines", "display_name: Input should be one line", form={"display_name": "a\nb"}),
    upload("display name too long", "display_name: Input should be one line", form={"display_name": "n" * 256}),
    upload("display name empty", "display_name: Input should be one line", form={"display_name": " "}),
    upload("no folder", "in the same folder", path="SKILL.md"),
    upload("no path", "in the same folder", path="x"),
    upload("not UTF-8", "UTF-8", content=b"---\nname: \xff\n---\n"),
    upload("no description", "description: Field required", content=b"---\nname: a\n---\n"),
    upload("empty description", "description should be text", content=b"---\nname: a\ndescription:\n---\n"),
    upload("long description", "at most 1024 characters", content=GOOD.replace(b"Does it.", b"d" * 1025)),
    upload("long name", "1 to 64", content=GOOD.replace(b"a-skill", b"n" * 65)),
    upload("name of a word", 'reserved word', content=GOOD.replace(b"a-skill", b"by-anthropic")),
    upload("dashes in a line", "within a line", content=GOOD.replace(b"Does it.", b"a --- b")),
    Case("skill: JSON", "POST", "/v1/skills", "multipart", json={"files": []}),
    Case("skill: no files", "POST", "/v1/skills", "files: Field required",
         raw=b'--x\r\ncontent-disposition: form-data; name="display_name"\r\n\r\nn\r\n--x--\r\n',
         headers={"content-type": "multipart/form-data; boundary=x"}),
    Case("skills: source", "GET", "/v1/skills", "source", query=[("source", "mine")]),
    Case("skills: shapes of before", "GET", "/v1/skills", "skills-2025-10-02",
         headers={"anthropic-beta": "skills-2025-10-02"}),
    Case("skill: not found", "GET", MISSING, "", 404),
    Case("skill delete: not found", "DELETE", MISSING, "", 404),
    Case("skill versions: not found", "GET", f"{MISSING}/versions", "", 404),
    Case("skill version: not found", "GET", VERSION, "", 404),
    Case("skill version: latest not found", "GET", f"{MISSING}/versions/latest", "", 404),
    Case("skill version: a number", "GET", f"{MISSING}/versions/1759178010641129", "", 404),
    Case("skill version delete: not found", "DELETE", VERSION, "", 404),
    Case("skill version delete: latest", "DELETE", f"{MISSING}/versions/latest", "", 404),
    Case("skill content: not found", "GET", f"{VERSION}/content", "", 404),
    Case("skill content: climbing id", "GET", "/v1/skills/..%2F..%2Fetc/versions/latest/content", "", 404),
]
