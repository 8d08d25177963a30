#include "data/synthesis/templates.h"

namespace entune {

const TemplateTexts& pharmacy_templates() {
  static const TemplateTexts templates = {
      "Your prescription {PRESCRIPTION_NUMBER} is ready for pickup at {ORGANIZATION/pharmacy}. Bring a photo ID. Reply "
      "STOP to opt out of text alerts.",
      "Hi, I'd like to refill my [lisinopril|metformin|sertraline], number {PRESCRIPTION_NUMBER}, under {PERSON/full}. "
      "Can it be ready by {DATE_TIME/time}?",
      "Rx: [amoxicillin|cephalexin] 500 mg, one capsule three times daily for ten days, dispense thirty, no refills. "
      "Patient: {PERSON/full}, DOB {DATE_TIME/birth}. Prescriber: {PERSON/full}, MD.",
      "Insurance rejected script {PRESCRIPTION_NUMBER} as refill too soon; next fill date is {DATE_TIME}. {PERSON} was "
      "told and is upset.",
      "TRANSFER REQUEST\nFrom: {ORGANIZATION/pharmacy}\nTo: {ORGANIZATION/pharmacy}\nRx: "
      "{PRESCRIPTION_NUMBER}\nPatient phone: {PHONE_NUMBER}",
      "The pharmacist, {PERSON}, caught an interaction between [warfarin|clopidogrel] and ibuprofen and asked the "
      "doctor's office to switch to acetaminophen before releasing {PRESCRIPTION_NUMBER}.",
      "We tried to deliver your medication to {STREET_ADDRESS} but nobody answered. The driver will attempt again; an "
      "adult has to sign for controlled substances.",
      "Two bags were swapped at the counter: {PERSON:1} got {PRESCRIPTION_NUMBER:1} by mistake. We phoned {PERSON:1} "
      "at {PHONE_NUMBER} and are couriering the right bottle over.",
      "Partial fill, {n2} tablets owed on {PRESCRIPTION_NUMBER}. Wholesaler backorder until {DATE_TIME}. Leave a "
      "voicemail for {PERSON} when stock arrives.",
      "Mail-order confirmation: ninety days of [atorvastatin|levothyroxine|omeprazole] ship to {PERSON/full}, "
      "{STREET_ADDRESS}, charged to the card ending as authorised, total {amount}.",
      "Is {PERSON} allergic to anything? The profile for record {MEDICAL_RECORD_NUMBER} is blank and the new script "
      "calls for a sulfa drug.",
      "Compounding log: progesterone cream, beyond-use date {DATE_TIME}, prepared by {PERSON}, checked by {PERSON}, "
      "prescription {PRESCRIPTION_NUMBER}, {n2} grams.",
      "Caller could not spell the drug but knew the number on the label, {PRESCRIPTION_NUMBER}, and that it was for "
      "her {AGE}-year-old husband's gout.",
      "Prior authorization for [Ozempic|Humira|Eliquis] approved through {DATE_TIME}. Approval letter mailed to "
      "{PERSON/full} and faxed to {PHONE_NUMBER}.",
      "Please cancel auto-refill on {PRESCRIPTION_NUMBER}, {PRESCRIPTION_NUMBER} and {PRESCRIPTION_NUMBER}. The "
      "patient passed away last month. Thank you, {PERSON}, executor.",
      "Pick-up signature log, page {n2}: {PERSON/full}, licence {US_DRIVER_LICENSE} shown for pseudoephedrine "
      "purchase, {DATE_TIME/full}.",
      "A vet called in [gabapentin|trazodone] for a dog named Biscuit; the owner on the label should read "
      "{PERSON/full}, mobile {PHONE_NUMBER}.",
      "Label too small to read? Ask {ORGANIZATION/pharmacy} for large print. For {PRESCRIPTION_NUMBER}, a braille "
      "sticker has already been requested by {PERSON}.",
      "Naloxone training record: {PERSON}, staff of {ORGANIZATION}, demonstrated correct use of the nasal spray and "
      "received {n1} kits under standing order {PRESCRIPTION_NUMBER}.",
      "My copay jumped from {amount} to {amount} on {PRESCRIPTION_NUMBER}! Has the formulary changed, or did someone "
      "at {ORGANIZATION/pharmacy} drop my coupon?",
      "Rph note: counseled {PERSON/first} on inhaler technique, rinse mouth after use; spacer provided; script "
      "{PRESCRIPTION_NUMBER} has {n1} refills remaining.",
      "Recall notice - lots dispensed between {DATE_TIME} and {DATE_TIME} may contain broken tablets. Affected "
      "customers, including {PERSON}, should return the bottle for a refund.",
      "patient portal msg: hi dr {PERSON/last}, the [rash|nausea|dizziness] got worse after i started the pills from "
      "{DATE_TIME}. should i stop? its rx {PRESCRIPTION_NUMBER}",
      "Blister packs for the residents of {ORGANIZATION} are due with this cycle; add {PERSON/full}, room {n2}, and "
      "discontinue {PRESCRIPTION_NUMBER} for the tenant next door.",
      "Early refill override used for vacation supply. {PERSON} flies out on {DATE_TIME} and returns six weeks later; "
      "counted {n3} tablets against {PRESCRIPTION_NUMBER}.",
      "Billing: copay for {PRESCRIPTION_NUMBER} was run twice on {CREDIT_CARD}. Reverse one charge of {amount} and "
      "e-mail the receipt to {EMAIL_ADDRESS}.",
      "Hard copy missing for schedule II script {PRESCRIPTION_NUMBER}, written by {PERSON/full} on {DATE_TIME}. "
      "Auditor gave us until the close of the quarter to find it.",
  };
  return templates;
}

}  // namespace entune
