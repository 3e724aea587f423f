"""What a claim or an evaluation is about: one system per paper, and what all of them share."""

SYSTEMS = {
    "gradient_detection": "Gradient detection",
    "aloe": "ALOE",
    "margin_consistency": "Margin consistency",
    "fgsm": "FGSM and adversarial training",
    "translation": "Translation",
    "shared": "Data and common ground",
}  # {name in params.yaml: title of its chapter}, in the report's order
