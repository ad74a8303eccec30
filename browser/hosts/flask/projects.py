import json
from pathlib import Path

MEMBERS = json.loads(Path(__file__).with_name("members.json").read_text())


def is_member(user, project):
    return user["name"] in MEMBERS.get(project, ())


def projects_of(user):
    return [project for project in MEMBERS if is_member(user, project)]
