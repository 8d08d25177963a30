#include "data/patterns/pattern.h"

#include <arpa/inet.h>

#include <algorithm>
#include <map>
#include <string>

#include "data/check_digits.h"

namespace entune {
namespace {

std::string kept(std::string_view value, bool (*keep)(char)) {
  std::string result;
  std::copy_if(value.begin(), value.end(), std::back_inserter(result), keep);
  return result;
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }
std::string digits_of(std::string_view value) { return kept(value, is_digit); }

bool is_ssn(std::string_view value) { return ssn_valid(digits_of(value)); }

bool is_card(std::string_view value) {
  const std::string digits = digits_of(value);
  return digits.size() >= 13 && digits.size() <= 19 && digits[0] >= '2' && digits[0] <= '6' && luhn_valid(digits);
}

bool is_iban(std::string_view value) {
  return iban_valid(kept(value, [](char c) { return c != ' '; }));
}

bool is_international_phone(std::string_view value) {
  const std::size_t length = digits_of(value).size();
  return length >= 8 && length <= 15;
}

bool is_ip4(std::string_view value) {
  in_addr address;
  return inet_pton(AF_INET, std::string(value).c_str(), &address) == 1;
}

bool is_ip6(std::string_view value) {
  in6_addr address;
  return value.size() > 3 && inet_pton(AF_INET6, std::string(value).c_str(), &address) == 1;
}

bool is_age(std::string_view value) { return std::stoi(std::string(value)) <= 120; }

/// Day and month in either order, or a year first.
bool is_numeric_date(std::string_view value) {
  std::vector<int> parts;
  for (std::size_t i = 0; i < value.size() && parts.size() < 3; ++i) {
    if (i == 0 || !is_digit(value[i - 1])) parts.push_back(0);
    if (is_digit(value[i])) parts.back() = parts.back() * 10 + (value[i] - '0');
  }
  if (parts.size() < 3) return false;
  if (parts[0] > 31) std::rotate(parts.begin(), parts.begin() + 1, parts.end());
  const auto [low, high] = std::minmax(parts[0], parts[1]);
  return low >= 1 && low <= 12 && high <= 31;
}

std::regex strict(const std::string& expression) { return std::regex(expression, std::regex::optimize); }
std::regex any_case(const std::string& expression) {
  return std::regex(expression, std::regex::optimize | std::regex::icase);
}

std::vector<Pattern> make_patterns() {
  const std::string month =
      "(?:Jan(?:uary)?|Feb(?:ruary)?|Mar(?:ch)?|Apr(?:il)?|May|June?|July?|Aug(?:ust)?|Sep(?:t(?:ember)?)?|Oct(?:ober)?"
      "|"
      "Nov(?:ember)?|Dec(?:ember)?)";
  const std::string weekday = "(?:(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day,? )?";
  const std::string time = "(?:\\d{1,2}:\\d{2}(?::\\d{2})?(?: ?[ap]\\.?m)?|\\d{1,2} ?[ap]m)";
  const std::string then_time = "(?:(?: at|,)? " + time + ")?";
  const std::string day = "\\d{1,2}(?:st|nd|rd|th)?";
  const std::string number_word = "(?: ?(?:number|no\\.?|#))?(?: is)?[ :#]{0,3}";
  const std::string region = "(?:(?:,|,? |,?\\n)[ ]?[A-Z][A-Za-z.' ]{1,25},? [A-Z]{2},? \\d{5}(?:-\\d{4})?)?";
  std::vector<Pattern> all;
  all.push_back({"email", strict("[A-Za-z0-9._%+-]{1,64}@(?:[A-Za-z0-9-]{1,63}\\.){1,5}[A-Za-z]{2,24}")});
  all.push_back({"url", any_case("(?:https?://|www\\.)[^\\s<>\"']{1,300}")});
  all.push_back({"iban", strict("[A-Z]{2}\\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?"), 0, is_iban});
  all.push_back({"card", strict("\\d(?:[ -]?\\d){12,18}"), 0, is_card});
  all.push_back({"ip", strict("(?:\\d{1,3}\\.){3}\\d{1,3}"), 0, is_ip4});
  all.push_back({"ip", strict("[0-9A-Fa-f]{0,4}(?::[0-9A-Fa-f]{0,4}){2,7}"), 0, is_ip6});
  all.push_back({"ssn", strict("\\d{3}([- ])\\d{2}\\1\\d{4}"), 0, is_ssn});
  all.push_back({"ssn", any_case("(?:ssn|social security)" + number_word + "(\\d{9})"), 1, is_ssn});
  all.push_back({"date", strict("\\d{4}-\\d{2}-\\d{2}(?:[T ]\\d{2}:\\d{2}(?::\\d{2})?Z?)?"), 0, is_numeric_date});
  all.push_back({"date", any_case("\\d{1,2}([/.-])\\d{1,2}\\1(?:\\d{4}|\\d{2})" + then_time), 0, is_numeric_date});
  all.push_back({"date", any_case(weekday + month + "\\.? " + day + "(?:,? \\d{4})?" + then_time)});
  all.push_back({"date", any_case(weekday + day + " (?:of )?" + month + "(?:,? \\d{4})?" + then_time)});
  all.push_back({"date", any_case("\\d{1,2}-" + month + "-\\d{2,4}" + then_time)});
  all.push_back({"date", any_case(time)});
  all.push_back({"phone", any_case("(?:\\+?1[-. ]?)?(?:\\([2-9]\\d{2}\\) ?|[2-9]\\d{2}[-. ]?)[2-9]\\d{2}[-. ]?\\d{4}"
                                   "(?: ?(?:x|ext\\.?) ?\\d{1,5})?")});
  all.push_back(
      {"phone", strict("\\+\\d{1,3}[-. ]?(?:\\(?\\d{1,5}\\)?[-. ]?){1,5}\\d{2,4}"), 0, is_international_phone});
  all.push_back({"age", any_case("(\\d{1,3})[- ](?:years?|yrs?)[- ]old"), 1, is_age});
  all.push_back({"age", any_case("(\\d{1,3}) ?(?:y/o|yo)\\b"), 1, is_age});
  all.push_back({"age", any_case("\\b(?:age|aged)[: ]{1,2}(\\d{1,3})"), 1, is_age});
  all.push_back(
      {"address",
       strict("\\d{1,5} (?:[NSEW]\\.? )?(?:[A-Z0-9][A-Za-z0-9'.]{0,20} ){1,4}"
              "(?:St(?:reet)?|Ave(?:nue)?|R(?:oa)?d|Blvd|Boulevard|Lane|Ln|Dr(?:ive)?|C(?:our)?t|Way|Pl(?:ace)?|"
              "Terrace|Pkwy|Parkway|Circle|Trail|Highway|Hwy)\\b\\.?"
              "(?:,? (?:Apt|Suite|Ste|Unit|Fl)\\.? [A-Za-z0-9-]{1,6})?" +
              region)});
  all.push_back({"address", strict("P\\.?O\\.? Box \\d{1,6}" + region)});
  all.push_back({"zip", strict("\\b[A-Z]{2},? (\\d{5}(?:-\\d{4})?)"), 1});
  all.push_back(
      {"domain", any_case("(?:[a-z0-9-]{1,63}\\.){1,4}(?:com|org|net|edu|gov|info|biz|io|co\\.uk|de|fr|eu)")});
  all.push_back({"routing", strict("\\d{9}"), 0, routing_number_valid});
  all.push_back({"account", any_case("\\b(?:account|acct\\.?)" + number_word + "(\\d[\\d -]{5,18}\\d)"), 1});
  all.push_back(
      {"licence",
       strict(
           "\\b(?:[Ll]icen[sc]e|DL)(?: ?(?:number|no\\.?|#))?[ :#]{0,3}([A-Z]{0,3} ?\\d{2,12}(?:[- ]\\d{1,5}){0,5})"),
       1, [](std::string_view value) { return digits_of(value).size() >= 6; }});
  all.push_back(
      {"record", any_case("\\b(?:mrn|medical record|chart)" + number_word + "([A-Z]{0,3}-?\\d[\\d-]{4,11})"), 1});
  all.push_back({"prescription",
                 any_case("\\b(?:rx|prescription|script)" + number_word + "([A-Z]{0,2}-?\\d{5,9}(?:-\\d{1,2})?)"), 1});
  all.push_back({"order",
                 any_case("\\b(?:order|purchase order|p\\.?o\\.?)" + number_word + "([A-Z]{0,4}-?\\d[\\dA-Z-]{3,20})"),
                 1});
  return all;
}

}  // namespace

const std::vector<Pattern>& all_patterns() {
  static const std::vector<Pattern> patterns = make_patterns();
  return patterns;
}

std::string_view kind_of_label(std::string_view label) {
  static const std::map<std::string_view, std::string_view> kinds = {
      {"EMAIL_ADDRESS", "email"},
      {"EMAIL", "email"},
      {"PHONE_NUMBER", "phone"},
      {"PHONE", "phone"},
      {"TELEPHONE", "phone"},
      {"FAX_NUMBER", "phone"},
      {"US_SSN", "ssn"},
      {"SSN", "ssn"},
      {"CREDIT_CARD", "card"},
      {"CREDIT_CARD_NUMBER", "card"},
      {"IBAN_CODE", "iban"},
      {"IBAN", "iban"},
      {"BANK_ACCOUNT", "bank"},
      {"US_BANK_NUMBER", "bank"},
      {"IP_ADDRESS", "ip"},
      {"IP", "ip"},
      {"DATE_TIME", "date"},
      {"DATE", "date"},
      {"DATE_OF_BIRTH", "date"},
      {"AGE", "age"},
      {"ZIP_CODE", "zip"},
      {"ZIP", "zip"},
      {"DOMAIN_NAME", "domain"},
      {"URL", "url"},
      {"US_DRIVER_LICENSE", "licence"},
      {"DRIVER_LICENSE", "licence"},
      {"STREET_ADDRESS", "address"},
      {"ADDRESS", "address"},
      {"PERSON", "person"},
      {"PER", "person"},
      {"NAME", "person"},
      {"MEDICAL_RECORD_NUMBER", "record"},
      {"MRN", "record"},
      {"PRESCRIPTION_NUMBER", "prescription"},
      {"ORDER_NUMBER", "order"},
  };
  const auto found = kinds.find(label);
  return found == kinds.end() ? std::string_view() : found->second;
}

}  // namespace entune
