#include "data/synthesis/templates.h"

namespace entune {

const TemplateTexts& forms_templates() {
  static const TemplateTexts templates = {
      "PATIENT REGISTRATION\nName: {PERSON/full}\nDate of birth: {DATE_TIME/birth}\nSSN: {US_SSN}\nMobile: "
      "{PHONE_NUMBER}\nInsurance: pending",
      "Applicant ........ {PERSON/full}\nCurrent address .. {STREET_ADDRESS}\nMonthly income ... {amount}\nPets "
      "............. none",
      "EMERGENCY CARD | Child: {PERSON/full} | Age: {AGE/child} | Allergic to: [peanuts|bee stings|eggs] | Parent "
      "phone: {PHONE_NUMBER}",
      "[x] I agree to the terms\n[ ] Send me offers\nSigned: {PERSON/full}, {DATE_TIME}\nE-mail: {EMAIL_ADDRESS}",
      "Vehicle release. Registered owner: {PERSON/full}. Driver license no.: {US_DRIVER_LICENSE}. Storage fees paid: "
      "{amount}. Odometer: {n5}.",
      "Last name, first name: {PERSON/inverted}\nLicense: {US_DRIVER_LICENSE}\nClass C, corrective lenses",
      "Membership renewal\nHolder: {PERSON/full} ({AGE})\nCard to charge: {CREDIT_CARD}\nBilling address: "
      "{STREET_ADDRESS}",
      "Lab requisition: chart no. {MEDICAL_RECORD_NUMBER}; collected {DATE_TIME/full}; fasting yes; tests CBC, TSH, "
      "lipid panel; ordering provider {PERSON}.",
      "Sheet {n2}: Employee ({PERSON/inverted}), bank routing ({BANK_ACCOUNT/routing}), bank account "
      "({BANK_ACCOUNT/account}), effective ({DATE_TIME}).",
      "VISITOR LOG\n{DATE_TIME/time}  {PERSON}  visiting {PERSON}  badge {n3}\n{DATE_TIME/time}  {PERSON}  delivery, "
      "{ORGANIZATION}",
      "Household members: (1) {PERSON/full}, {AGE}; (2) {PERSON/full}, {AGE}; (3) {PERSON/first}, {AGE/child}. Do you "
      "receive food assistance? No.",
      "Complaint form. What happened? The meter at {STREET_ADDRESS/line} was read wrong. Who did you speak to? "
      "{PERSON/first}. When? {DATE_TIME}.",
      "Referral\nTo: {ORGANIZATION/clinic}\nRe: {PERSON/full}, MRN {MEDICAL_RECORD_NUMBER}\nReason: persistent "
      "hoarseness, smoker, please evaluate.",
      "Field trip permission: my child {PERSON/first} may take part on {DATE_TIME}. In an emergency phone "
      "{PHONE_NUMBER}; we carry family insurance.",
      "Proof of delivery. Consignment {ORDER_NUMBER}. Received in good order by (print) {PERSON/full}. Pieces: {n1}. "
      "Time: {DATE_TIME/time}.",
      "Rx {PRESCRIPTION_NUMBER}\n{PERSON/full}\nTAKE ONE TABLET BY MOUTH AT BEDTIME\nQty {n2}   Refills {n1}   Filled "
      "{DATE_TIME}",
      "Claimant SSN: {US_SSN}. Employer at separation: {ORGANIZATION}. Last day worked: {DATE_TIME}. Able and "
      "available: Y.",
      "Wire instruction sheet - originator {ORGANIZATION}; credit account {BANK_ACCOUNT}; amount {amount}; purpose: "
      "equipment lease; callback done with {PERSON}.",
      "Blood donor slip: {PERSON/inverted}, weight {n3} lb, hemoglobin ok, last donation {DATE_TIME}, deferred for "
      "travel: no.",
      "IT access request: user {PERSON}, mailbox {EMAIL_ADDRESS}, static address {IP_ADDRESS}, software: "
      "[AutoCAD|Visio|Photoshop], approved by {PERSON/last}.",
      "Scholarship file {n4}\nStudent: {PERSON/full}\nHigh school GPA 3.{n1}\nSend award letter to {STREET_ADDRESS}",
      "Utility start of service: name {PERSON/full}; identification {US_DRIVER_LICENSE} or {US_SSN}; start "
      "{DATE_TIME}; deposit waived.",
      "Camp health form, reviewed by nurse {PERSON/last}: camper {PERSON/full}, age {AGE/child}, carries an "
      "epinephrine pen, swims without vest.",
      "Return merchandise authorization\nRMA for: {ORDER_NUMBER}\nReason code: {n2}\nCustomer: "
      "{EMAIL_ADDRESS}\nRestocking fee: {amount}",
      "Hospital belongings list: one ring (yellow metal), dentures, {amount} in cash. Owner: {PERSON}, "
      "{MEDICAL_RECORD_NUMBER}. Witness: {PERSON}.",
      "Change of beneficiary: remove {PERSON/full}; add {PERSON/full} (relationship: stepson, SSN {US_SSN}), share one "
      "hundred percent.",
      "Questionnaire {n3}: Q1 age? {AGE}. Q2 household size? {n1}. Q3 may we contact you? Yes, at {PHONE_NUMBER}.",
  };
  return templates;
}

}  // namespace entune
