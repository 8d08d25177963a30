#include "data/synthesis/templates.h"

namespace entune {

const TemplateTexts& legal_templates() {
  static const TemplateTexts templates = {
      "On {DATE_TIME} at about {DATE_TIME/time} I was dispatched to {STREET_ADDRESS} for a report of a [burglary|noise "
      "complaint|domestic dispute]. I met the caller, {PERSON/full}, in the driveway.",
      "Driver identified by {US_DRIVER_LICENSE} as {PERSON/full}. Stopped for {n2} mph in a school zone; citation "
      "issued, insurance card expired.",
      "Witness {PERSON/last} stated that a white van with the lettering of {ORGANIZATION} reversed into the fence and "
      "left without stopping.",
      "WARRANT\nName: {PERSON/full}\nDOB: {DATE_TIME/birth}\nDL: {US_DRIVER_LICENSE}\nBail: {amount}",
      "The plaintiff, {PERSON:1}, resides at {STREET_ADDRESS}. At all relevant times {PERSON:1} was employed by the "
      "defendant, {ORGANIZATION}.",
      "Missing person: {PERSON/full}, {AGE}, last seen {DATE_TIME} wearing a green raincoat. Anyone with information "
      "should call Detective {PERSON/last} at {PHONE_NUMBER}.",
      "I, {PERSON/full}, being of sound mind, leave my house at {STREET_ADDRESS} to my niece and the contents of "
      "account {BANK_ACCOUNT} to the animal shelter.",
      "Evidence log item {n2}: one mobile phone, cracked screen, incoming call from {PHONE_NUMBER} visible, found on "
      "the passenger seat, bagged by Officer {PERSON/last}.",
      "Stolen wallet contained a licence ({US_DRIVER_LICENSE}), two cards ({CREDIT_CARD} and {CREDIT_CARD}) and about "
      "{amount} in cash.",
      "Subpoena to {ORGANIZATION}: produce all subscriber records for IP address {IP_ADDRESS} between {DATE_TIME/full} "
      "and {DATE_TIME/full}.",
      "Deposition of {PERSON/full}, taken {DATE_TIME}, page {n2}.\nQ. Did you sign the contract?\nA. I did not. My "
      "partner, {PERSON}, signed it.",
      "Identity theft affidavit: someone opened a store account at {ORGANIZATION/shop} with my Social Security number, "
      "{US_SSN}, and an address I have never lived at.",
      "The tenant shall pay rent to {PERSON/full} by transfer to {BANK_ACCOUNT} no later than the fifth of each month; "
      "notices go to {EMAIL_ADDRESS}.",
      "Collision report - unit {n1} driven by {PERSON/full} ({AGE}) struck unit {n1}, parked and unattended. No "
      "injuries. Licence {US_DRIVER_LICENSE} returned at scene.",
      "Juvenile matter: the minor, {AGE/teen}, was released to her father, {PERSON}, at {DATE_TIME/time}. School "
      "informed. No photographs were taken.",
      "Power of attorney revoked with immediate effect. {PERSON/full} may no longer act for me before "
      "{ORGANIZATION/bank} or any other institution.",
      "Restraining order: respondent {PERSON/last} must stay three hundred feet from {STREET_ADDRESS/line} and may not "
      "phone, text or e-mail {EMAIL_ADDRESS}.",
      "Counsel: please bill the water damage matter to {ORGANIZATION}, attention {PERSON}, and leave {US_SSN} out of "
      "the caption, it was filed publicly by mistake.",
      "Parole check-in completed {DATE_TIME}. {PERSON/full} has steady work, clean tests, and a new phone: "
      "{PHONE_NUMBER}.",
      "Small claims: I paid {amount} for a roof that leaks. The contractor, {PERSON} of {ORGANIZATION}, ignores my "
      "letters and blocked my number.",
      "Found property: blue backpack, library card in the name of {PERSON}, inhaler, {n1} textbooks. Held at the desk "
      "until {DATE_TIME}.",
      "Notary record: {PERSON/full} appeared before me, proved identity by driver's license {US_DRIVER_LICENSE}, and "
      "acknowledged the deed.",
      "Immigration intake: applicant {PERSON/full} entered on {DATE_TIME}, lives with a cousin at {STREET_ADDRESS}, "
      "speaks Tigrinya and some English.",
      "Body camera transcript. OFFICER: License, please. DRIVER: It's {US_DRIVER_LICENSE}, I left the card at home. "
      "OFFICER: And you are? DRIVER: {PERSON/full}.",
      "Settlement: {ORGANIZATION} pays {amount} without admission of fault; funds to the trust account "
      "{BANK_ACCOUNT/account} within ten days of signature.",
      "Animal bite. Victim: {PERSON}, {AGE/child}-year-old, bitten on the hand by a neighbour's terrier. Owner "
      "{PERSON/last} showed proof of rabies vaccination.",
      "Jury duty questionnaire returned by {PERSON/full}, occupation welder, excused because of surgery on "
      "{DATE_TIME}; new summons to {STREET_ADDRESS}.",
      "Case notes: the landlord's lawyer rang from {PHONE_NUMBER}, offers two months free if the lockout claim is "
      "dropped; client {PERSON/first} will think about it.",
      "The hospital's lawyer wants chart {MEDICAL_RECORD_NUMBER} sealed, since the patient, a minor of {AGE/teen}, did "
      "not consent to its disclosure.",
  };
  return templates;
}

}  // namespace entune
