#pragma once

#include <string_view>
#include <vector>

namespace entune {

/// Sentences with slots:
///   {LABEL}         a value of this label (synthetic_labels())
///   {LABEL/kind}    a value of one kind: {PERSON/last}, {BANK_ACCOUNT/iban}, ... (values.cpp lists them)
///   {LABEL:1}       the same value wherever the slot is repeated letter for letter
///   {n4}            a number of four digits, {amount} a sum of money, {version} a version: all without a label
///   [one|other]     one of these words
/// Other braces and brackets stand for themselves. No template holds personal data outside of its slots, and no two are
/// variations of one sentence (a test holds them apart).
using TemplateTexts = std::vector<std::string_view>;

const TemplateTexts& banking_templates();
const TemplateTexts& clinical_templates();
const TemplateTexts& forms_templates();
const TemplateTexts& household_templates();
const TemplateTexts& hr_templates();
const TemplateTexts& legal_templates();
const TemplateTexts& mail_templates();
const TemplateTexts& orders_templates();
const TemplateTexts& pharmacy_templates();
const TemplateTexts& records_templates();
const TemplateTexts& support_templates();
const TemplateTexts& travel_templates();
/// Those without entities.
const TemplateTexts& plain_templates();

}  // namespace entune
