#include "data/synthesis/values.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <stdexcept>

#include "data/check_digits.h"
#include "data/synthesis/dates.h"
#include "data/synthesis/words.h"

namespace entune {
namespace {

[[noreturn]] void unknown(std::string_view label, std::string_view kind) {
  throw std::logic_error(fmt::format("no values of label '{}', kind '{}'", label, kind));
}

/// Replaces # by a digit, ^ by a digit from 1 on, @ by a capital letter.
std::string fill(std::string_view pattern, Random& random) {
  std::string text(pattern);
  for (char& c : text) {
    if (c == '#') c = static_cast<char>('0' + random.below(10));
    if (c == '^') c = static_cast<char>('1' + random.below(9));
    if (c == '@') c = static_cast<char>('A' + random.below(26));
  }
  return text;
}

std::string fill_one(const WordList& patterns, Random& random) { return fill(random.choice(patterns), random); }

std::string capitals(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return std::toupper(c); });
  return text;
}

bool is_ascii(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](unsigned char c) { return c < 0x80; });
}

std::string make_person(std::string_view kind, Random& random) {
  const std::string first(random.choice(first_names()));
  const std::string last(random.choice(last_names()));
  if (kind == "first") return first;
  if (kind == "last") return last;
  if (kind == "inverted") return fmt::format("{}, {}", last, first);
  if (kind.empty() && random.chance(0.12)) return first;
  if (kind.empty() && random.chance(0.08)) return last;
  if (!kind.empty() && kind != "full") unknown("PERSON", kind);
  std::string name = first + " " + last;
  if (random.chance(0.18)) name = fmt::format("{} {}. {}", first, static_cast<char>('A' + random.below(26)), last);
  if (random.chance(0.06)) name = fmt::format("{} {} {}", first, random.choice(first_names()), last);
  if (random.chance(0.03)) name += random.chance(0.5) ? " Jr" : " III";
  if (random.chance(0.04) && is_ascii(name)) return capitals(name);
  return name;
}

/// Lower-case ASCII letters of a name or firm, as addresses spell them.
std::string mailbox(std::string_view name) {
  std::string letters;
  for (const unsigned char c : name) {
    if (c < 0x80 && std::isalpha(c)) letters += static_cast<char>(std::tolower(c));
  }
  return letters;
}

std::string make_email(Random& random) {
  static const WordList endings = {".com", ".com", ".org", ".net", ".io", ".co.uk", ".edu"};
  static const WordList providers = {"example.com", "example.org", "example.net", "mail.example.com"};
  const std::string first = mailbox(random.choice(first_names()));
  const std::string last = mailbox(random.choice(last_names()));
  const std::string separator(random.choice(WordList{".", "_", "-", ""}));
  std::string local = first + separator + last;
  if (random.chance(0.25)) local = first.substr(0, 1) + last;
  if (random.chance(0.1)) local = random.choice(WordList{"info", "billing", "front.desk", "orders", "no-reply"});
  if (random.chance(0.3)) local += fill("##", random);
  if (random.chance(0.06)) local += "+" + mailbox(random.choice(trades()));
  if (random.chance(0.05)) local = capitals(local);
  if (random.chance(0.3)) return local + "@" + std::string(random.choice(providers));
  std::string domain = mailbox(random.choice(firm_words()));
  if (random.chance(0.3)) domain += "-" + mailbox(random.choice(trades()));
  domain += random.choice(endings);
  return local + "@" + domain;
}

std::string make_phone(Random& random) {
  if (random.chance(0.07)) return fill_one({"+44 20 7946 0###", "+44 7700 900###", "020 7946 0###"}, random);
  // North American plan: an area code is [2-9]XX and no N11; 555-0100 to 555-0199 are kept for fiction.
  static const WordList areas = {"201", "206", "212", "216", "303", "305", "312", "314", "402", "404", "415",
                                 "502", "503", "505", "512", "602", "607", "612", "615", "617", "702", "704",
                                 "713", "716", "801", "808", "813", "816", "901", "907", "919"};
  static const WordList styles = {"({0}) 555-{1}",  "({0}) 555-{1}", "{0}-555-{1}",    "{0}-555-{1}",
                                  "{0}.555.{1}",    "{0} 555 {1}",   "+1 {0} 555 {1}", "+1 ({0}) 555-{1}",
                                  "+1-{0}-555-{1}", "1-{0}-555-{1}", "{0}555{1}",      "({0})555-{1}"};
  const std::string_view style = random.choice(styles);
  const std::string_view area = random.choice(areas);
  std::string number = fmt::format(fmt::runtime(style), area, fill("01##", random));
  if (random.chance(0.06)) number += fill(random.chance(0.5) ? " ext. ^##" : " x^##", random);
  return number;
}

std::string make_ssn(Random& random) {
  std::string digits;
  do {
    digits = fill("#########", random);
  } while (!ssn_valid(digits));
  const char* separator = random.chance(0.75) ? "-" : random.chance(0.5) ? " " : "";
  return digits.substr(0, 3) + separator + digits.substr(3, 2) + separator + digits.substr(5);
}

std::string make_address(std::string_view kind, Random& random) {
  if (!kind.empty() && kind != "line") unknown("STREET_ADDRESS", kind);
  const City& city = random.choice(cities());
  const std::string zip = std::string(city.zip_prefix) + fill(random.chance(0.1) ? "##-####" : "##", random);
  if (kind.empty() && random.chance(0.07))
    return fmt::format("{}, {}, {} {}", fill("P.O. Box ^##", random), city.name, city.state, zip);
  const std::string number = fill_one({"^#", "^##", "^##", "^###", "^####"}, random);
  const std::string_view street = random.choice(street_names());
  std::string line = fmt::format("{} {} {}", number, street, random.choice(street_suffixes()));
  if (random.chance(0.22))
    line += fill_one({", Apt ^@", ", Apt. ^#", ", Suite ^##", ", Unit ^", ", Fl ^"}, random);
  if (kind == "line") return line;
  if (random.chance(0.12)) return fmt::format("{}\n{}, {} {}", line, city.name, city.state, zip);
  if (random.chance(0.12)) return fmt::format("{}, {}", line, city.name);
  return fmt::format("{}, {}, {} {}", line, city.name, city.state, zip);
}

std::string make_bank_account(std::string_view kind, Random& random) {
  if (kind == "routing") {
    static const WordList starts = {"0#", "1^", "2^", "3^"};
    while (true) {
      std::string digits = fill(std::string(random.choice(starts)) + "######", random);
      digits += routing_number_digit(digits);
      if (routing_number_valid(digits)) return digits;
    }
  }
  if (kind == "account" || (kind.empty() && random.chance(0.5))) {
    return fill_one(
        {"^#######", "^########", "^#########", "00##########", "^###########", "^###-######", "^### #### ####"},
        random);
  }
  if (!kind.empty() && kind != "iban") unknown("BANK_ACCOUNT", kind);
  struct Country {
    std::string_view code;
    std::string_view bban;
  };
  static const std::vector<Country> countries = {{"DE", "##################"},   {"FR", "#######################"},
                                                 {"GB", "@@@@##############"},   {"NL", "@@@@##########"},
                                                 {"ES", "####################"}, {"CH", "#################"},
                                                 {"BE", "############"},         {"PL", "########################"}};
  const Country& country = random.choice(countries);
  const std::string iban = make_iban(country.code, fill(country.bban, random));
  if (random.chance(0.4)) return iban;
  std::string grouped;
  for (std::size_t i = 0; i < iban.size(); ++i) {
    if (i > 0 && i % 4 == 0) grouped += ' ';
    grouped += iban[i];
  }
  return grouped;
}

std::string make_driver_license(Random& random) {
  // Shapes that the states use: California, Florida, Illinois, New York, Pennsylvania, Texas, New Jersey, Michigan,
  // Ohio, ...
  return fill_one(
      {"@#######", "@###-###-##-###-#", "@###-####-####", "### ### ###", "## ### ###", "########", "@#### ##### #####",
       "@ ### ### ### ###", "@@######", "@########", "##-###-####", "@############", "WDL@@#@##@##"},
      random);
}

std::string make_card(Random& random) {
  struct Brand {
    std::string_view digits;
    std::array<std::size_t, 4> groups;
  };
  static const std::vector<Brand> brands = {{"4##############", {4, 4, 4, 4}}, {"4##############", {4, 4, 4, 4}},
                                            {"51#############", {4, 4, 4, 4}}, {"55#############", {4, 4, 4, 4}},
                                            {"34############", {4, 6, 5, 0}},  {"37############", {4, 6, 5, 0}},
                                            {"6011###########", {4, 4, 4, 4}}};
  const Brand& brand = random.choice(brands);
  std::string digits = fill(brand.digits, random);
  digits += luhn_digit(digits);
  const std::string separator(random.choice(WordList{" ", " ", "-", ""}));
  std::string card;
  std::size_t at = 0;
  for (const std::size_t length : brand.groups) {
    if (length > 0 && at > 0) card += separator;
    card += digits.substr(at, length);
    at += length;
  }
  return card;
}

std::string make_organization(std::string_view kind, Random& random) {
  const std::string_view word = random.choice(firm_words());
  const std::string_view name = random.choice(last_names());
  const std::string_view city = random.choice(cities()).name;
  // The arguments of one call are drawn in no order that the language promises: never two draws in one.
  const auto one_of = [&](const WordList& endings, std::string_view start) {
    return fmt::format("{} {}", start, random.choice(endings));
  };
  if (kind == "clinic") {
    return one_of({"Community Hospital", "Family Clinic", "Medical Center", "Health Partners", "Urgent Care",
                   "Orthopedics", "Children's Hospital"},
                  random.chance(0.5) ? city : word);
  }
  if (kind == "pharmacy")
    return one_of({"Pharmacy", "Drugs", "Apothecary", "Compounding Pharmacy"}, random.chance(0.4) ? name : word);
  if (kind == "bank") {
    if (random.chance(0.3))
      return fmt::format("First {} Bank",
                         random.choice(WordList{"National", "County", "Harbor", "Prairie", "Liberty"}));
    return one_of({"Bank", "Savings Bank", "Credit Union", "Trust", "Federal Credit Union"},
                  random.chance(0.3) ? city : word);
  }
  if (kind == "shop")
    return one_of({"Hardware", "Books", "Outfitters", "Market", "Electronics", "Home & Garden", "Bakery", "Toys"},
                  random.chance(0.3) ? name : word);
  if (kind == "hotel") return one_of({"Inn", "Hotel", "Lodge", "Suites", "Resort"}, word);
  if (kind == "charity")
    return one_of({"Food Bank", "Animal Rescue", "Relief Fund", "Hospice Foundation", "Literacy Project"},
                  random.chance(0.4) ? city : word);
  if (!kind.empty()) unknown("ORGANIZATION", kind);
  const std::string_view trade = random.choice(trades());
  const std::string_view partner = random.choice(last_names());
  switch (random.below(6)) {
    case 0:
      return one_of({"LLP", "Associates", "Partners"}, fmt::format("{} & {}", name, partner));
    case 1:
      return one_of({"Inc", "LLC", "Corp", "Group", "Ltd"}, fmt::format("{} {}", word, trade));
    case 2:
      return one_of({"University", "School District", "Public Library", "Community College"}, city);
    case 3:
      return fmt::format("{} {}", name, trade);
    default:
      return fmt::format("{} {}", word, trade);
  }
}

std::string make_ip_address(Random& random) {
  // Private networks and the blocks kept for documentation (RFC 1918, RFC 3849, RFC 5737).
  static const WordList networks = {"192.0.2.", "198.51.100.", "203.0.113.", "192.168.0.", "192.168.1."};
  if (random.chance(0.18)) {
    std::string address = "2001:db8:";
    if (random.chance(0.5)) return fmt::format("{}:{:x}", address, random.between(1, 0xffff));
    for (int i = 0; i < 6; ++i) address += fmt::format("{}{:x}", i == 0 ? "" : ":", random.below(0x10000));
    return address;
  }
  if (random.chance(0.6)) {
    const std::int64_t second = random.chance(0.5) ? -1 : random.between(16, 31);
    const std::int64_t third = random.below(256);
    const std::int64_t last = random.between(1, 254);
    return second < 0 ? fmt::format("10.{}.{}.{}", third, last, last / 2 + 1)
                      : fmt::format("172.{}.{}.{}", second, third, last);
  }
  const std::string network(random.choice(networks));
  return network + std::to_string(random.between(1, 254));
}

std::string make_age(std::string_view kind, Random& random) {
  if (kind == "child") return std::to_string(random.between(2, 12));
  if (kind == "teen") return std::to_string(random.between(13, 17));
  if (!kind.empty()) unknown("AGE", kind);
  return std::to_string(random.between(18, 97));
}

}  // namespace

std::string make_value(std::string_view label, std::string_view kind, Random& random) {
  if (label == "PERSON") return make_person(kind, random);
  if (label == "DATE_TIME") return make_date_time(kind, random);
  if (label == "STREET_ADDRESS") return make_address(kind, random);
  if (label == "ORGANIZATION") return make_organization(kind, random);
  if (label == "BANK_ACCOUNT") return make_bank_account(kind, random);
  if (label == "AGE") return make_age(kind, random);
  if (!kind.empty()) unknown(label, kind);
  if (label == "EMAIL_ADDRESS") return make_email(random);
  if (label == "PHONE_NUMBER") return make_phone(random);
  if (label == "US_SSN") return make_ssn(random);
  if (label == "US_DRIVER_LICENSE") return make_driver_license(random);
  if (label == "CREDIT_CARD") return make_card(random);
  if (label == "IP_ADDRESS") return make_ip_address(random);
  if (label == "PRESCRIPTION_NUMBER")
    return fill_one({"^######", "^######", "RX^######", "RX-######", "Rx-^#####", "^######-##", "C^######", "N^#####"},
                    random);
  if (label == "ORDER_NUMBER") {
    return fill_one({"^##-#######-#######", "ORD-^#####", "SO-^####", "WEB0^######", "PO ^###-##", "@-##-####",
                     "W^########", "^####-@@"},
                    random);
  }
  if (label == "MEDICAL_RECORD_NUMBER")
    return fill_one({"MRN-00#####", "^######", "^#######", "##-##-##-##", "H^#####", "E00#####", "@@^######"}, random);
  unknown(label, kind);
}

std::string make_filler(std::string_view name, Random& random) {
  if (name.size() == 2 && name[0] == 'n' && name[1] >= '1' && name[1] <= '9') {
    return fill(std::string("^") + std::string(static_cast<std::size_t>(name[1] - '1'), '#'), random);
  }
  if (name == "amount")
    return fill_one({"$^#.##", "$^##.##", "$^,###.##", "$^##", "$^,###", "^## dollars", "EUR ^##.##"}, random);
  if (name == "version") return fill_one({"^.#.#", "^.##.#", "#.^#.##", "^.#"}, random);
  throw std::logic_error(fmt::format("no filler '{}'", name));
}

}  // namespace entune
