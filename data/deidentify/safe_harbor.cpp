#include "data/deidentify/safe_harbor.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "data/input_error.h"

namespace entune {
namespace {

/// A class and the parts of which each needs a label. No parts: no text. The note holds for any label list.
struct IdentifierClass {
  std::string_view name;
  std::vector<std::string_view> parts;
  std::string_view note = "";
};

const std::array<IdentifierClass, 18>& identifier_classes() {
  static const std::array<IdentifierClass, 18> kClasses = {{
      {"names", {"given names", "family names"}, "relatives, employers and household members count too"},
      {"places smaller than a state",
       {"streets", "cities and counties", "postal codes", "coordinates"},
       "the first three digits of a ZIP code may stay where more than 20,000 people live"},
      {"dates but for the year; ages over 89", {"dates", "ages"}, "ages up to 89 may stay, and years that tell no age over 89"},
      {"telephone numbers", {"telephone numbers"}},
      {"fax numbers", {"fax numbers"}},
      {"e-mail addresses", {"e-mail addresses"}},
      {"social security numbers", {"social security numbers"}},
      {"medical record numbers", {"medical record numbers"}},
      {"health plan numbers", {"health plan numbers"}},
      {"account numbers", {"bank accounts", "payment cards", "other accounts"}},
      {"certificate and license numbers", {"driver's licenses", "other licenses and certificates"}},
      {"vehicle numbers and plates", {"vehicle numbers", "license plates"}},
      {"device numbers", {"device identifiers", "serial numbers"}},
      {"web addresses", {"URLs"}},
      {"IP addresses", {"IPv4", "IPv6"}},
      {"fingerprints, voice prints and the like", {}},
      {"photographs of the face and the like", {}},
      {"any other identifying number, code or trait",
       {"whatever else tells one person from others"},
       "no label list can hold all of it"},
  }};
  return kClasses;
}

constexpr char kOther = 'R';  // never covered wholly

/// What a label says by its name: the parts of a class that it marks, by their places in the class; none: only a piece
/// of one. The note says what it misses, or holds besides.
struct KnownLabel {
  std::string_view names;  // separated by spaces
  char letter;
  std::vector<std::size_t> parts = {};
  std::string_view note = "";
};

const std::vector<KnownLabel>& known_labels() {
  static const std::vector<KnownLabel> kLabels = {
      {"PERSON PER NAME FULL_NAME PERSON_NAME", 'A', {0, 1}},
      {"FIRST_NAME GIVEN_NAME GIVENNAME FIRSTNAME", 'A', {0}},
      {"LAST_NAME FAMILY_NAME SURNAME LASTNAME", 'A', {1}},
      {"MIDDLE_NAME DOCTOR RELATIVE_NAME PATIENT PATIENT_NAME", 'A', {}, "some names alone"},
      {"STREET_ADDRESS STREET ADDRESS LOCATION_ADDRESS POSTAL_ADDRESS", 'B', {0}},
      {"GPE LOCATION LOC PLACE", 'B', {1}, "countries and states, which may stay, too"},
      {"CITY", 'B', {}, "cities alone"},
      {"COUNTY DISTRICT PRECINCT", 'B', {}, "counties and districts alone"},
      {"ZIP ZIP_CODE ZIPCODE POSTAL_CODE POSTCODE", 'B', {2}},
      {"COORDINATES COORDINATE GEO_COORDINATES GEOCODE", 'B', {3}},
      {"DATE_TIME DATE DATES DATETIME", 'C', {0}},
      {"DATE_OF_BIRTH DOB BIRTH_DATE BIRTHDATE DATE_OF_DEATH ADMISSION_DATE DISCHARGE_DATE",
       'C',
       {},
       "some dates alone"},
      {"AGE", 'C', {1}},
      {"PHONE PHONE_NUMBER TELEPHONE TELEPHONE_NUMBER TELEPHONENUM PHONENUMBER", 'D', {0}},
      {"PHONE PHONE_NUMBER TELEPHONE TELEPHONE_NUMBER TELEPHONENUM PHONENUMBER",
       'E',
       {},
       "fax numbers only where they are labelled as telephone numbers"},
      {"FAX FAX_NUMBER", 'E', {0}},
      {"EMAIL EMAIL_ADDRESS E_MAIL E_MAIL_ADDRESS", 'F', {0}},
      {"US_SSN SSN SOCIAL_SECURITY_NUMBER SOCIALNUM", 'G', {0}},
      {"MEDICAL_RECORD_NUMBER MEDICAL_RECORD MRN MEDICALRECORD PATIENT_ID", 'H', {0}},
      {"HEALTH_PLAN_ID HEALTH_PLAN_NUMBER HEALTH_PLAN_BENEFICIARY_NUMBER HEALTH_INSURANCE_NUMBER HEALTHPLAN "
       "INSURANCE_NUMBER",
       'I',
       {0}},
      {"US_MBI MEDICARE_NUMBER AU_MEDICARE UK_NHS NHS_NUMBER", 'I', {}, "one scheme's numbers alone"},
      {"BANK_ACCOUNT BANK_ACCOUNT_NUMBER US_BANK_NUMBER", 'J', {0}},
      {"IBAN IBAN_CODE ABA_ROUTING_NUMBER SWIFT_CODE", 'J', {}, "some bank numbers alone"},
      {"CREDIT_CARD CREDIT_CARD_NUMBER CREDITCARDNUMBER PAYMENT_CARD DEBIT_CARD", 'J', {1}},
      {"ACCOUNT ACCOUNT_NUMBER ACCOUNTNUM", 'J', {0, 2}},
      {"CRYPTO CRYPTO_WALLET", 'J', {}, "wallets alone"},
      {"US_DRIVER_LICENSE DRIVER_LICENSE DRIVERS_LICENSE DRIVER_LICENSE_NUMBER DRIVERLICENSENUM", 'K', {0}},
      {"LICENSE LICENSE_NUMBER LICENSENUM CERTIFICATE_LICENSE_NUMBER", 'K', {0, 1}},
      {"CERTIFICATE CERTIFICATE_NUMBER PROFESSIONAL_LICENSE", 'K', {1}},
      {"MEDICAL_LICENSE US_NPI NPI", 'K', {}, "physicians' numbers alone"},
      {"US_PASSPORT PASSPORT PASSPORT_NUMBER UK_PASSPORT IN_PASSPORT IT_PASSPORT", 'K', {}, "passports alone"},
      {"VEHICLE VEHICLE_ID VEHICLE_IDENTIFIER", 'L', {0, 1}},
      {"VIN VEHICLE_IDENTIFICATION_NUMBER VEHICLEVIN", 'L', {0}},
      {"LICENSE_PLATE PLATE_NUMBER VEHICLE_PLATE VEHICLE_REGISTRATION", 'L', {1}},
      {"IN_VEHICLE_REGISTRATION UK_VEHICLE_REGISTRATION NG_VEHICLE_REGISTRATION DE_LICENSE_PLATE TR_LICENSE_PLATE",
       'L',
       {},
       "one country's plates alone"},
      {"DEVICE DEVICE_ID DEVICE_IDENTIFIER", 'M', {0, 1}},
      {"SERIAL_NUMBER", 'M', {1}},
      {"MAC_ADDRESS IMEI", 'M', {}, "network and telephone hardware alone"},
      {"URL WEB_ADDRESS WEBSITE", 'N', {0}},
      {"DOMAIN_NAME DOMAIN HOSTNAME", 'N', {}, "names of hosts alone"},
      {"IP IP_ADDRESS IPADDRESS", 'O', {0, 1}},
      {"IPV4", 'O', {0}},
      {"IPV6", 'O', {1}},
      {"BIOID BIOMETRIC BIOMETRIC_IDENTIFIER", 'P'},
      {"ID IDNUM ID_NUMBER IDENTIFIER UNIQUE_ID USERNAME USER_NAME CUSTOMER_ID EMPLOYEE_ID ORDER_NUMBER "
       "PRESCRIPTION_NUMBER US_ITIN TAX_ID TAXNUM NATIONAL_ID",
       kOther},
      {"ORGANIZATION ORG ORGANISATION EMPLOYER COMPANY HOSPITAL",
       kOther,
       {},
       "employers count, other organizations need not"},
      {"NRP NORP RELIGION NATIONALITY OCCUPATION PROFESSION", kOther, {}, "traits that identify where they are rare"},
  };
  return kLabels;
}

/// PHONE_NUMBER of "phone-number".
std::string canonical(std::string_view label) {
  std::string name(label);
  for (char& c : name) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
    if (c == '-' || c == ' ' || c == '.') c = '_';
  }
  return name;
}

bool holds_word(std::string_view words, std::string_view word) {
  for (std::size_t at = words.find(word); at != words.npos; at = words.find(word, at + 1)) {
    const std::size_t end = at + word.size();
    if ((at == 0 || words[at - 1] == ' ') && (end == words.size() || words[end] == ' ')) return true;
  }
  return false;
}

void require_assignable(const LabelList& labels, const AssignedClasses& assigned) {
  for (const auto& [label, letters] : assigned) {
    if (std::none_of(labels.begin(), labels.end(), [&](const Label& each) { return each.name == label; })) {
      std::vector<std::string> names;
      for (const Label& each : labels) names.push_back(each.name);
      throw InputError(fmt::format("--assign {}={}: expected one of the recipe's labels ({}), found another", label,
                                   letters, fmt::join(names, ", ")));
    }
    const bool are_classes = !letters.empty() && std::all_of(letters.begin(), letters.end(), [](char c) {
      return c >= 'A' && c <= kOther && !identifier_classes()[static_cast<std::size_t>(c - 'A')].parts.empty();
    });
    if (!are_classes) {
      throw InputError(
          fmt::format("--assign {}={}: expected letters from A to R, but for P and Q, which no text shows; "
                      "found others",
                      label, letters));
    }
  }
}

ClassCoverage cover(char letter, const LabelList& labels, const AssignedClasses& assigned) {
  const IdentifierClass& of_rule = identifier_classes()[static_cast<std::size_t>(letter - 'A')];
  ClassCoverage result{.letter = letter, .name = of_rule.name, .labels = {}, .note = ""};
  std::vector<bool> has(of_rule.parts.size(), false);
  std::vector<std::string> notes;
  for (const Label& label : labels) {
    bool belongs = false;
    if (const auto own = assigned.find(label.name); own != assigned.end()) {
      belongs = own->second.find(letter) != std::string::npos;
      if (belongs) {
        has.assign(has.size(), true);
        notes.push_back(fmt::format("{}: as assigned", label.name));
      }
    } else {
      for (const KnownLabel& known : known_labels()) {
        if (known.letter != letter || !holds_word(known.names, canonical(label.name))) continue;
        belongs = true;
        for (const std::size_t part : known.parts) has[part] = true;
        if (!known.note.empty()) notes.push_back(fmt::format("{}: {}", label.name, known.note));
      }
    }
    if (belongs) result.labels.push_back(label.name);
  }
  if (of_rule.parts.empty()) {
    result.coverage = Coverage::no_text;
    return result;
  }
  std::vector<std::string_view> missing;
  for (std::size_t i = 0; i < has.size(); ++i) {
    if (!has[i]) missing.push_back(of_rule.parts[i]);
  }
  const bool is_whole = missing.empty() && letter != kOther;
  result.coverage = result.labels.empty() ? Coverage::none : is_whole ? Coverage::covered : Coverage::partly;
  if (result.coverage == Coverage::partly && letter != kOther)
    notes.insert(notes.begin(), fmt::format("not, or not all: {}", fmt::join(missing, ", ")));
  if (!of_rule.note.empty()) notes.emplace_back(of_rule.note);
  result.note = fmt::format("{}", fmt::join(notes, "; "));
  return result;
}

}  // namespace

std::string_view name_of(Coverage coverage) {
  constexpr std::array<std::string_view, 4> kNames = {"covered", "partly", "not", "not: no text"};
  return kNames[static_cast<std::size_t>(coverage)];
}

SafeHarborCoverage safe_harbor_coverage(const LabelList& labels, const AssignedClasses& assigned) {
  require_assignable(labels, assigned);
  SafeHarborCoverage result;
  for (std::size_t i = 0; i < result.classes.size(); ++i)
    result.classes[i] = cover(static_cast<char>('A' + i), labels, assigned);
  for (const Label& label : labels) {
    const bool has_class = std::any_of(result.classes.begin(), result.classes.end(), [&](const ClassCoverage& each) {
      return std::find(each.labels.begin(), each.labels.end(), label.name) != each.labels.end();
    });
    if (!has_class) result.without_class.push_back(label.name);
  }
  return result;
}

nlohmann::json to_json(const SafeHarborCoverage& coverage) {
  nlohmann::json classes = nlohmann::json::array();
  for (const ClassCoverage& each : coverage.classes) {
    classes.push_back({{"class", std::string(1, each.letter)},
                       {"name", each.name},
                       {"coverage", name_of(each.coverage)},
                       {"labels", each.labels},
                       {"note", each.note}});
  }
  return {
      {"classes", std::move(classes)}, {"labels_without_class", coverage.without_class}, {"statement", kNoCompliance}};
}

}  // namespace entune
