"""What is bought together: itemsets, rules, add-ons, hot items."""

from commlife.basket.itemsets import FrequentItemsets, frequent_itemsets

__all__ = ["FrequentItemsets", "frequent_itemsets"]
