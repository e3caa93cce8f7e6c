"""Writes the vocabularies that come with the registry; with `--check` says whether they are up to date.

CIFAR-100's super-classes are those of its authors (Krizhevsky 2009), as torchvision spells the labels. ImageNet's
labels are torchvision's; their super-classes were put together by hand from the order of the classes, which follows
WordNet for animals. They are neither WordNet nor a published grouping: classes of no clear group have none.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import runpy
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "modelfoundry" / "registry" / "search" / "builtin"

CIFAR_100 = {
    "aquatic_mammals": ("beaver dolphin otter seal whale", ()),
    "fish": ("aquarium_fish flatfish ray shark trout", ()),
    "flowers": ("orchid poppy rose sunflower tulip", ("flower",)),
    "food_containers": ("bottle bowl can cup plate", ("food container",)),
    "fruit_and_vegetables": ("apple mushroom orange pear sweet_pepper", ()),
    "household_electrical_devices": ("clock keyboard lamp telephone television", ("household electrical device",)),
    "household_furniture": ("bed chair couch table wardrobe", ("furniture",)),
    "insects": ("bee beetle butterfly caterpillar cockroach", ("insect",)),
    "large_carnivores": ("bear leopard lion tiger wolf", ("large carnivore",)),
    "large_man-made_outdoor_things": ("bridge castle house road skyscraper", ("large man-made outdoor thing",)),
    "large_natural_outdoor_scenes": ("cloud forest mountain plain sea", ("large natural outdoor scene",)),
    "large_omnivores_and_herbivores": ("camel cattle chimpanzee elephant kangaroo", ()),
    "medium_mammals": ("fox porcupine possum raccoon skunk", ("medium-sized mammals",)),
    "non-insect_invertebrates": ("crab lobster snail spider worm", ("non-insect invertebrate",)),
    "people": ("baby boy girl man woman", ("person",)),
    "reptiles": ("crocodile dinosaur lizard snake turtle", ("reptile",)),
    "small_mammals": ("hamster mouse rabbit shrew squirrel", ("small mammal",)),
    "trees": ("maple_tree oak_tree palm_tree pine_tree willow_tree", ("tree",)),
    "vehicles_1": ("bicycle bus motorcycle pickup_truck train", ("vehicle", "vehicles")),
    "vehicles_2": ("lawn_mower rocket streetcar tank tractor", ("vehicle", "vehicles")),
}

# Super-class: classes by number, what it is a kind of itself, and synonyms.
IMAGENET: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "animal": ("", "", ()),
    "mammal": ("101-106 147-299 330-388", "animal", ()),
    "carnivore": ("276 298-299 387-388", "mammal", ()),
    "fish": ("0-6 389-397", "animal", ()),
    "shark": ("2-4", "fish", ()),
    "bird": ("7-24 80-100 127-146", "animal", ()),
    "salamander": ("25-29", "animal", ()),
    "frog": ("30-32", "animal", ()),
    "reptile": ("33-68", "animal", ()),
    "turtle": ("33-37", "reptile", ()),
    "lizard": ("38-48", "reptile", ()),
    "crocodilian": ("49-50", "reptile", ()),
    "dinosaur": ("51", "reptile", ()),
    "snake": ("52-68", "reptile", ()),
    "arthropod": ("69 79", "animal", ()),
    "arachnid": ("70-78", "arthropod", ()),
    "spider": ("72-77", "arachnid", ()),
    "crustacean": ("118-126", "arthropod", ()),
    "crab": ("118-121", "crustacean", ()),
    "lobster": ("122-123", "crustacean", ()),
    "insect": ("300-326", "arthropod", ()),
    "beetle": ("300-307", "insect", ()),
    "butterfly": ("321-326", "insect", ()),
    "cnidarian": ("107-109", "animal", ()),
    "worm": ("110-111", "animal", ()),
    "mollusk": ("112-117", "animal", ("mollusc",)),
    "echinoderm": ("327-329", "animal", ()),
    "monotreme": ("102-103", "mammal", ()),
    "marsupial": ("104-106", "mammal", ()),
    "marine mammal": ("147-150", "mammal", ("aquatic mammal",)),
    "whale": ("147-148", "marine mammal", ()),
    "canine": ("", "carnivore", ("canid",)),
    "dog": ("151-268", "canine", ("domestic dog",)),
    "terrier": ("179-203", "dog", ()),
    "retriever": ("205-209", "dog", ()),
    "poodle": ("265-267", "dog", ()),
    "wild dog": ("273-275", "canine", ()),
    "wolf": ("269-272", "canine", ()),
    "fox": ("277-280", "canine", ()),
    "feline": ("286-287", "carnivore", ("felid",)),
    "domestic cat": ("281-285", "feline", ("cat", "house cat")),
    "big cat": ("288-293", "feline", ()),
    "bear": ("294-297", "carnivore", ()),
    "weasel family": ("356-362", "carnivore", ("mustelid",)),
    "lagomorph": ("330-332", "mammal", ("rabbit", "bunny")),
    "rodent": ("333-338", "mammal", ()),
    "ungulate": ("344 350 355", "mammal", ()),
    "equine": ("340", "ungulate", ("equid",)),
    "horse": ("339", "equine", ()),
    "swine": ("341-343", "ungulate", ("pig",)),
    "bovine": ("345-347", "ungulate", ()),
    "sheep": ("348-349", "ungulate", ()),
    "antelope": ("351-353", "ungulate", ()),
    "camel": ("354", "ungulate", ()),
    "primate": ("", "mammal", ()),
    "ape": ("365-369", "primate", ()),
    "monkey": ("370-382", "primate", ()),
    "lemur": ("383-384", "primate", ()),
    "elephant": ("101 385-386", "mammal", ()),
    "vehicle": ("408 450 537 561 573 575 586 603 612 690 757 802 803 812 847 866 870 880", "", ()),
    "aircraft": ("405 417", "vehicle", ()),
    "airplane": ("404 895", "aircraft", ("aeroplane",)),
    "car": ("407 436 468 511 609 627 656 661 751 817", "vehicle", ("automobile", "motor car")),
    "truck": ("555 569 675 717 734 864 867", "vehicle", ("lorry",)),
    "bus": ("654 779 874", "vehicle", ()),
    "railway vehicle": ("466 565 705 829", "vehicle", ("train",)),
    "locomotive": ("547 820", "railway vehicle", ()),
    "watercraft": ("780 833", "vehicle", ()),
    "ship": ("403 510 628 724", "watercraft", ()),
    "boat": ("472 484 554 576 625 814 871 914", "watercraft", ()),
    "bicycle": ("444 671", "vehicle", ("bike",)),
    "motorcycle": ("665 670", "vehicle", ("motorbike",)),
    "musical instrument": (
        "401 420 432 486 494 513 541 558 566 577 593 594 641 642 683 684 687 699 776 822 875 889",
        "",
        (),
    ),
    "guitar": ("402 546", "musical instrument", ()),
    "piano": ("579 881", "musical instrument", ()),
    "ball": ("429 430 522 574 722 768 805 852 890", "", ()),
    "furniture": ("453 493 495 548 553 648 703 831 894", "", ()),
    "chair": ("423 559 765 857", "furniture", ()),
    "table": ("526 532 736", "furniture", ()),
    "bed": ("431 516 520 564", "furniture", ()),
    "food": ("924-926 933-935 959-965", "", ()),
    "bread": ("930-932", "food", ()),
    "dessert": ("927-929", "food", ()),
    "beverage": ("966 967 969", "food", ("drink",)),
    "fruit": ("949-957", "food", ()),
    "apple": ("948", "fruit", ()),
    "vegetable": ("936-946", "food", ()),
    "fungus": ("947 991-997", "", ()),
    "flower": ("985-986", "", ()),
    "geological formation": ("970 972-980", "", ()),
    "person": ("981-983", "", ()),
    "clothing": (
        "399 400 411 445 459 474 501 568 578 601 608 610 614 617 638 639 652 655 658 689 697 735 775 806 824 834 "
        "841 842 869 887",
        "",
        ("garment",),
    ),
    "headwear": ("433 439 452 515 667 793 808", "clothing", ("hat",)),
    "helmet": ("518 560 715", "headwear", ()),
    "footwear": ("502 514 630 770 774", "clothing", ("shoe",)),
    "building": ("425 449 483 497 498 580 624 663 668 698 727 743 762 832", "", ()),
    "shop": ("415 424 454 467 509 582 788 860 865", "building", ("store",)),
    "bridge": ("821 839 888", "", ()),
    "weapon": ("456 657 744", "", ()),
    "gun": ("413 471 763 764", "weapon", ("firearm",)),
    "timepiece": ("531 604 826 835", "", ()),
    "clock": ("409 530 892", "timepiece", ()),
    "computer": ("527 590 620 681", "", ()),
    "telephone": ("487 528 707", "", ("phone",)),
    "bottle": ("440 720 737 898 907", "", ()),
}


def cifar_100() -> dict[str, Any]:
    """The 100 labels and 20 super-classes."""
    terms = [{"term": name, "synonyms": [*synonyms]} for name, (_, synonyms) in CIFAR_100.items() if synonyms]
    terms += [{"term": name} for name, (_, synonyms) in CIFAR_100.items() if not synonyms]
    members = {label: [name] for name, (labels, _) in CIFAR_100.items() for label in labels.split()}
    # "fish" and the like are words of their own; a label may share its word with a super-class.
    terms += [{"term": label, "broader": broader} for label, broader in members.items()]
    return {
        "display_name": "CIFAR-100",
        "description": "The 100 labels of CIFAR-100 and the 20 super-classes of its authors.",
        "terms": sorted(terms, key=lambda term: str(term["term"])),
    }


def imagenet(labels: Sequence[str]) -> dict[str, Any]:
    """The 1000 labels and super-classes of most."""
    terms: dict[str, dict[str, list[str]]] = {}
    for label in labels:
        terms.setdefault(label.casefold(), {"names": [], "synonyms": [], "broader": []})["names"].append(label)
    for name, (_, parent, synonyms) in IMAGENET.items():
        term = terms.setdefault(name.casefold(), {"names": [name], "synonyms": [], "broader": []})
        term["synonyms"] += synonyms
        term["broader"] += [parent] if parent else []
    for name, (numbers, _, _) in IMAGENET.items():
        for number in _numbers(numbers):
            terms[labels[number].casefold()]["broader"].append(name)
    return {
        "display_name": "ImageNet",
        "description": (
            "The 1000 labels of ImageNet's 2012 challenge as torchvision spells them. Super-classes were put together "
            "by hand from the order of the classes: they are neither WordNet nor a published grouping, and classes of "
            "no clear group have none."
        ),
        "terms": [
            {"term": term["names"][0], **{key: term[key] for key in ("synonyms", "broader") if term[key]}}
            for _, term in sorted(terms.items())
        ],
    }


def _text(vocabulary: dict[str, Any]) -> str:
    """JSON with a term a line."""
    terms = ",\n".join(json.dumps(term, ensure_ascii=False, allow_nan=False) for term in vocabulary["terms"])
    about = json.dumps(
        {key: vocabulary[key] for key in ("display_name", "description")}, ensure_ascii=False, allow_nan=False
    )
    return f'{about[:-1]}, "terms": [\n{terms}\n]}}\n'


def _numbers(ranges: str) -> Iterator[int]:
    for part in ranges.split():
        first, _, last = part.partition("-")
        yield from range(int(first), int(last or first) + 1)


def main() -> int:
    """Writes the files, or compares with what is there."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing; fail when files would change")
    arguments = parser.parse_args()
    torchvision = importlib.util.find_spec("torchvision")
    if torchvision is None or torchvision.origin is None:
        sys.stderr.write("the labels of ImageNet are torchvision's: install it\n")
        return 1
    # The file by itself: the package would load torch.
    labels = runpy.run_path(str(Path(torchvision.origin).parent / "models" / "_meta.py"))["_IMAGENET_CATEGORIES"]
    stale = 0
    for name, content in (("cifar-100", cifar_100()), ("imagenet", imagenet(labels))):
        path = FOLDER / f"{name}.json"
        text = _text(content)
        if not arguments.check:
            path.write_text(text, encoding="utf-8")
        elif path.read_text(encoding="utf-8") != text:
            sys.stderr.write(f"{path} is stale: run registry/build_vocabularies.py\n")
            stale = 1
    return stale


if __name__ == "__main__":
    sys.exit(main())
