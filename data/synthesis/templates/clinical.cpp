#include "data/synthesis/templates.h"

namespace entune {

const TemplateTexts& clinical_templates() {
  static const TemplateTexts templates = {
      "Pt is a {AGE}-year-old male who presented to {ORGANIZATION/clinic} on {DATE_TIME} with [chest "
      "tightness|palpitations|shortness of breath] radiating to the left arm. Troponin negative x{n1}.",
      "{PERSON/full}, MRN {MEDICAL_RECORD_NUMBER}, was discharged home in stable condition. Follow-up with Dr. "
      "{PERSON/last} scheduled for {DATE_TIME}.",
      "Consult requested by Dr. {PERSON}. Reason: uncontrolled [type 2 diabetes|hypertension|atrial fibrillation]. "
      "Patient denies fever, chills or recent travel. A1c {n1}.{n1} percent.",
      "Called patient's daughter {PERSON} at {PHONE_NUMBER} to review the [biopsy|ultrasound|MRI] results; she "
      "verbalized understanding and will bring her mother in for repeat imaging.",
      "NURSING NOTE\n{DATE_TIME/full}\nDressing changed, wound edges clean, no drainage. Pain rated {n1} out of 10. "
      "{PERSON/first} ambulated with a walker to the end of the hall.",
      "Operative report: {PERSON/full:1} underwent laparoscopic cholecystectomy. Estimated blood loss {n2} mL. "
      "{PERSON/full:1} tolerated the procedure well and was extubated in the recovery room.",
      "Specimen received from {ORGANIZATION/clinic}, labelled with record number {MEDICAL_RECORD_NUMBER} and the "
      "initials of the collecting nurse. Gross description: tan, soft, {n1} mm.",
      "Impression: no acute intracranial abnormality. Findings were discussed by telephone with {PERSON} at "
      "{DATE_TIME/time} and read back for confirmation.",
      "Mother reports that {PERSON/first}, age {AGE/child}, has had [ear pain|a barking cough|vomiting] for two days "
      "and refused breakfast. Immunizations are current per the registry.",
      "Discharge address on file: {STREET_ADDRESS}. Home health to start within 48 hours; oxygen concentrator to be "
      "delivered by {ORGANIZATION/shop}.",
      "Chart merge requested: {MEDICAL_RECORD_NUMBER} and {MEDICAL_RECORD_NUMBER} appear to belong to the same person, "
      "{PERSON/full}, born {DATE_TIME/birth}.",
      "Psychiatric intake. Client goes by {PERSON/first}. Sleep is poor, appetite fair, no suicidal ideation. Lives "
      "alone at {STREET_ADDRESS/line} since the divorce.",
      "The stress test originally booked for {DATE_TIME} has been moved; please tell {PERSON} to hold beta blockers "
      "the night before and to wear comfortable shoes.",
      "Allergies: [penicillin|sulfa|latex] (hives). Code status: full. Emergency contact is {PERSON}, spouse, "
      "reachable on {PHONE_NUMBER} after work hours.",
      "I have reviewed the history with {PERSON/full}, a {AGE}-year-old retired teacher with [COPD|heart "
      "failure|chronic kidney disease], and agree with the resident's assessment and plan.",
      "EMS run sheet: dispatched {DATE_TIME/time}, found unresponsive elderly female at {STREET_ADDRESS}; glucose "
      "{n2}, given D50, transported to {ORGANIZATION/clinic} without incident.",
      "Dear {PERSON}, your mammogram of {DATE_TIME} showed no sign of cancer. We recommend another screening in twelve "
      "months. Sincerely, Breast Imaging.",
      "Lab called with a critical potassium of {n1}.{n1} on {PERSON}. Result acknowledged, ECG ordered, nephrology "
      "paged.",
      "Patient identified by name and date of birth ({PERSON/full}, {DATE_TIME/birth}); consent for anesthesia signed, "
      "site marked, antibiotics given before incision.",
      "Vitals at triage - BP {n3} over {n2}, HR {n2}, SpO2 9{n1} on room air. Registered under MRN "
      "{MEDICAL_RECORD_NUMBER} pending insurance verification.",
      "Physical therapy: {PERSON/last} completed {n2} repetitions of straight leg raises and climbed one flight of "
      "stairs. Next session {DATE_TIME} at {DATE_TIME/time}.",
      "This {AGE} y/o woman, gravida {n1}, reports decreased fetal movement since the morning. Non-stress test "
      "reactive. Her midwife, {PERSON}, was informed.",
      "Please fax the operative notes for {PERSON/full} to our records desk at {PHONE_NUMBER}. Reference chart "
      "{MEDICAL_RECORD_NUMBER} on the cover sheet.",
      "Dental: fractured cusp on tooth {n2}. {PERSON} prefers a crown over extraction. Estimate e-mailed to "
      "{EMAIL_ADDRESS}; awaiting approval from the insurer.",
      "Toxicology consult for a {AGE/child}-year-old who swallowed an unknown number of [iron|melatonin|antihistamine] "
      "tablets at grandmother's house; poison control case opened by {PERSON}.",
      "Genetic counselling summary prepared for {PERSON/full:1} and copied to {ORGANIZATION/clinic}. Because two "
      "relatives of {PERSON/full:1} had ovarian cancer before fifty, panel testing was offered.",
      "Social work: spoke with {PERSON} about Medicaid renewal. SSN {US_SSN} was verified against the card, and "
      "transportation vouchers were handed over.",
      "Hospice admission, {DATE_TIME}. Primary caregiver {PERSON} (son). Comfort kit in the refrigerator; call the "
      "on-call line, {PHONE_NUMBER}, for breakthrough pain.",
      "Vaccination record: second dose of [hepatitis B|HPV|shingles] vaccine, left deltoid, administered to "
      "{PERSON/full} on {DATE_TIME}; lot {n6}, no reaction after fifteen minutes.",
      "Transfer accepted by {PERSON} from the burn unit. Wristband {MEDICAL_RECORD_NUMBER} checked by two nurses, {n1} "
      "bags of belongings signed for.",
      "Release of information: copies of chart {MEDICAL_RECORD_NUMBER} were handed to {PERSON/full}, who paid {amount} "
      "for {n2} pages.",
      "Pathology cannot match the block to a patient. The cassette says {MEDICAL_RECORD_NUMBER}, the requisition says "
      "{MEDICAL_RECORD_NUMBER}; please recut.",
      "Sleep lab: apnea index {n2}, mask fitted. Send the report under {MEDICAL_RECORD_NUMBER} to the referring "
      "practice, {ORGANIZATION/clinic}.",
      "Who opened record {MEDICAL_RECORD_NUMBER:1} at {DATE_TIME/time}? The audit trail of {MEDICAL_RECORD_NUMBER:1} "
      "names a user who was on leave.",
  };
  return templates;
}

}  // namespace entune
