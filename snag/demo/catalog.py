"""What the shop sells, and how it is found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

CURRENCY: Final = "EUR"


@dataclass(frozen=True)
class Product:
    """One product. `price` in euros; `picture` and `colour` are how the page draws it."""

    id: str
    name: str
    kind: str
    price: float
    line: str
    text: str
    picture: str
    colour: str


PRODUCTS: Final = (
    Product(
        "sencha",
        "Sencha Morning",
        "Green tea",
        12.9,
        "Grassy, bright, wide awake",
        "First flush from Shizuoka, steamed within an hour of the picking. Brew at 70 degrees, one minute.",
        "tin",
        "#5f8f5b",
    ),
    Product(
        "assam",
        "Assam Ferry",
        "Black tea",
        9.5,
        "Malty, strong, takes milk",
        "A second flush that stands up to a splash of milk and to Monday. Brew at 95 degrees, four minutes.",
        "tin",
        "#a5533a",
    ),
    Product(
        "oolong",
        "Iron Goddess",
        "Oolong",
        18.0,
        "Orchid and warm butter",
        "Rolled, rested, roasted lightly. Good for six infusions, each one a little different.",
        "tin",
        "#c08a2f",
    ),
    Product(
        "rooibos",
        "Late Rooibos",
        "Herbal",
        7.9,
        "Honey and dry wood, no caffeine",
        "From the Cederberg. It cannot be brewed for too long, so forget about it for a while.",
        "tin",
        "#b9573f",
    ),
    Product(
        "kettle",
        "Gooseneck Kettle",
        "Brewing",
        64.0,
        "Pours where you point it",
        "Brushed steel, 0.9 litres, holds its temperature to the degree.",
        "kettle",
        "#4d5b66",
    ),
    Product(
        "teapot",
        "Round Teapot",
        "Ceramics",
        39.0,
        "Stoneware, 0.7 litres",
        "Thrown by hand, so no two are quite alike. The lid stays on while you pour.",
        "pot",
        "#3f6d73",
    ),
    Product(
        "cups",
        "Two Small Cups",
        "Ceramics",
        24.0,
        "Thin rim, warm hands",
        "A pair in speckled glaze, 120 ml each. They like the dishwasher.",
        "cup",
        "#8c6a86",
    ),
    Product(
        "whisk",
        "Bamboo Whisk",
        "Brewing",
        16.5,
        "Eighty tines, one piece of bamboo",
        "For matcha with a fine foam. Comes with a stand so that it keeps its shape.",
        "whisk",
        "#9a8448",
    ),
)

_BY_ID: Final = {product.id: product for product in PRODUCTS}


def find(product_id: str) -> Product | None:
    """The product of that id."""
    return _BY_ID.get(product_id)


def search(query: str) -> list[Product]:
    """Products of which name, kind or description hold every word of `query`."""
    words = query.lower().split()
    return [p for p in PRODUCTS if words and all(w in f"{p.name} {p.kind} {p.line} {p.text}".lower() for w in words)]
