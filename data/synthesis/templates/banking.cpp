#include "data/synthesis/templates.h"

namespace entune {

const TemplateTexts& banking_templates() {
  static const TemplateTexts templates = {
      "Please wire {amount} to account {BANK_ACCOUNT/account}, routing {BANK_ACCOUNT/routing}, in the name of "
      "{PERSON/full}.",
      "Direct deposit form: bank {ORGANIZATION/bank}, checking, number {BANK_ACCOUNT/account}, ABA "
      "{BANK_ACCOUNT/routing}. Void check stapled behind this page.",
      "Dear colleagues, kindly settle our invoice to IBAN {BANK_ACCOUNT/iban} and put {ORDER_NUMBER} in the reference "
      "field.",
      "ALERT from {ORGANIZATION/bank}: a purchase of {amount} was declined on your card {CREDIT_CARD}. Not you? Call "
      "{PHONE_NUMBER} right away.",
      "The branch froze {BANK_ACCOUNT} after {PERSON} reported a stolen purse. New cards go out to {STREET_ADDRESS} by "
      "registered mail.",
      "Mortgage application of {PERSON/full} and {PERSON/full}: credit pulled with SSNs {US_SSN} and {US_SSN}; scores "
      "{n3} and {n3}.",
      "Standing order set up. On the first of each month {amount} moves from {BANK_ACCOUNT:1} to the landlord, until "
      "{BANK_ACCOUNT:1} is closed or you cancel.",
      "Teller note: customer, roughly {AGE}, came in with a man she did not know and tried to withdraw her savings. "
      "Suspected scam; manager {PERSON/last} intervened.",
      "Your cashier's check is ready. Payable to {ORGANIZATION}; remitter {PERSON/full}; pick up at the "
      "{STREET_ADDRESS/line} branch before closing.",
      "Suspicious activity: {n1} transfers just under the limit, all from {BANK_ACCOUNT/account} to "
      "{BANK_ACCOUNT/iban}, initiated from {IP_ADDRESS} overnight.",
      "Loan officer {PERSON} can be reached directly on {PHONE_NUMBER} or at {EMAIL_ADDRESS}; bring two pay stubs and "
      "last year's return.",
      "Card controls: international use enabled for {CREDIT_CARD} from {DATE_TIME} to {DATE_TIME}. Daily limit remains "
      "{amount}.",
      "I closed my old account at {ORGANIZATION/bank}. Send dividends to {BANK_ACCOUNT} from now on, please, and "
      "confirm in writing. {PERSON/full}",
      "KYC refresh overdue for {PERSON}. Missing: proof of residence (we have {STREET_ADDRESS}, three years old) and a "
      "copy of licence {US_DRIVER_LICENSE}.",
      "SWIFT advice: ordering customer {ORGANIZATION}, beneficiary account {BANK_ACCOUNT/iban}, value date "
      "{DATE_TIME}, charges shared.",
      "The tuition payment bounced. Did you type {BANK_ACCOUNT/routing} as the routing number? That one belongs to "
      "{ORGANIZATION/bank}, not to your credit union.",
      "Estate of {PERSON/full}: balance at date of death {amount}, held in {BANK_ACCOUNT/account}. Letters "
      "testamentary were presented by {PERSON/full} on {DATE_TIME}.",
      "Zelle mix-up: I sent {amount} to {PHONE_NUMBER} instead of {PHONE_NUMBER}, and the stranger won't send it back. "
      "What can the bank do?",
      "We have credited the provisional amount while we investigate dispute {n6} on {CREDIT_CARD}. No action is needed "
      "from you.",
      "Branch survey, {ORGANIZATION/bank}: teller {PERSON/first} was quick, but the coin machine on the ground floor "
      "has been broken since {DATE_TIME}.",
      "For tax year-end we need your TIN. Our file shows {US_SSN}; the tax office says it does not match the name "
      "{PERSON/full}. Please complete a W-9.",
      "Safe deposit box {n3}, leased to {PERSON}, was drilled in the presence of a notary because both keys were lost. "
      "Annual rent {amount}.",
      "Overdraft protection now links {BANK_ACCOUNT/account} with {BANK_ACCOUNT/account}. A fee of {amount} applies "
      "per transfer, waived for students.",
      "Hello, this is {PERSON} from the fraud desk. We will never ask for your PIN. Did you spend {amount} at "
      "{ORGANIZATION/shop} at {DATE_TIME/time}?",
      "Vendor master change request, dual approval needed: {ORGANIZATION} new bank details {BANK_ACCOUNT}. Call back "
      "on the number in the contract, not the one in the mail.",
      "Charity drive closed at {amount}. Late gifts still reach us by transfer to {BANK_ACCOUNT}; receipts are written "
      "by {PERSON} in accounting.",
      "Credit union newsletter: congratulations to {PERSON}, our {n4}th member! She opened a youth account, "
      "{BANK_ACCOUNT/account}, for her son, {AGE/child}.",
      "payroll rejected again. account {BANK_ACCOUNT} is closed according to the bank, can you ask {PERSON/first} for "
      "a new one before {DATE_TIME}??",
  };
  return templates;
}

}  // namespace entune
