"""What is bought together: itemsets, rules, add-ons, hot items."""

from commlife.basket.itemsets import FrequentItemsets, frequent_itemsets
from commlife.basket.rules import AssociationRules, association_rules

__all__ = ["AssociationRules", "FrequentItemsets", "association_rules", "frequent_itemsets"]
