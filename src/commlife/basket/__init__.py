"""What is bought together: itemsets, rules, add-ons, units per order, hot items."""

from commlife.basket.attach import AttachRate, attach_rate
from commlife.basket.bundles import bundles, hot_pulls
from commlife.basket.contrast import contrast_itemsets
from commlife.basket.cross_sell import cross_sell, cross_sell_many
from commlife.basket.evaluation import CrossSellEvaluation, evaluate_cross_sell
from commlife.basket.figures import plot_contrast, plot_heat
from commlife.basket.groups import ItemsetsByGroup
from commlife.basket.heat import product_heat
from commlife.basket.holdout import holdout_rules
from commlife.basket.itemsets import FrequentItemsets
from commlife.basket.mining import frequent_itemsets
from commlife.basket.rules import AssociationRules, association_rules
from commlife.basket.units import units_per_order

__all__ = [
    "AssociationRules",
    "AttachRate",
    "CrossSellEvaluation",
    "FrequentItemsets",
    "ItemsetsByGroup",
    "association_rules",
    "attach_rate",
    "bundles",
    "contrast_itemsets",
    "cross_sell",
    "cross_sell_many",
    "evaluate_cross_sell",
    "frequent_itemsets",
    "holdout_rules",
    "hot_pulls",
    "plot_contrast",
    "plot_heat",
    "product_heat",
    "units_per_order",
]
