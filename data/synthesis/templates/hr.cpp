#include "data/synthesis/templates.h"

namespace entune {

const TemplateTexts& hr_templates() {
  static const TemplateTexts templates = {
      "We are pleased to offer {PERSON/full} the position of [data analyst|site engineer|office manager] at "
      "{ORGANIZATION}, starting {DATE_TIME}, at {amount} per year.",
      "New hire checklist: I-9 done, SSN {US_SSN} entered, badge photo taken, laptop {n5} issued. Manager: {PERSON}.",
      "{PERSON} called in sick this morning; cover the front desk until {DATE_TIME/time} and reroute her line to "
      "{PHONE_NUMBER}.",
      "Reference check. {PERSON/full} worked for {ORGANIZATION} from {DATE_TIME} until {DATE_TIME} as a shift lead; "
      "eligible for rehire: yes.",
      "Exit interview with {PERSON:1}. Main reason for leaving: commute. {PERSON:1} would recommend us to friends but "
      "finds the review process opaque.",
      "Please update the emergency contact for {PERSON/full} to her brother {PERSON/full}, telephone {PHONE_NUMBER}, "
      "home {STREET_ADDRESS}.",
      "Garnishment order served on {DATE_TIME}: withhold fifteen percent of net wages of the employee with Social "
      "Security number {US_SSN} until further notice.",
      "Benefits enrolment closes at {DATE_TIME/time} sharp. Dependents need a date of birth; for little {PERSON/first} "
      "we have {DATE_TIME/birth} on the form.",
      "CV of a strong candidate attached. {PERSON/full}, {EMAIL_ADDRESS}, {PHONE_NUMBER}. Ten years of Java, some "
      "Rust, salary expectation {amount}.",
      "Complaint filed against a supervisor at the {STREET_ADDRESS/line} warehouse. Witnesses: {PERSON}, {PERSON}. "
      "Keep this confidential until HR has interviewed both.",
      "Onboarding buddy for the intern ({PERSON/first}, {AGE}, first job) will be {PERSON}. Lunch is on the company "
      "for the first week.",
      "Payroll correction: {n2} overtime hours for {PERSON/last} were booked to the wrong cost centre. Difference of "
      "{amount} goes to {BANK_ACCOUNT/account} with the next run.",
      "The background check came back clear except for a suspended licence, {US_DRIVER_LICENSE}. Driving is essential "
      "for this role, so let's ask {PERSON} about it.",
      "Anniversary list: {PERSON} (20 years), {PERSON} (10 years), {PERSON} (5 years). Cake in the cafeteria, "
      "{DATE_TIME/time}, floor {n1}.",
      "Dear applicant, unfortunately {ORGANIZATION} has filled the vacancy. We will keep your file, including "
      "{EMAIL_ADDRESS}, for six months unless you object.",
      "Return to work certificate: Mr. {PERSON/last} may resume light duties from {DATE_TIME}, no lifting above {n2} "
      "pounds.",
      "Relocation package approved. Movers collect the household goods at {STREET_ADDRESS} and store them until "
      "{PERSON} finds an apartment.",
      "Minutes of the works council, {DATE_TIME}. Present: {PERSON}, {PERSON}, and a representative of {ORGANIZATION}. "
      "Item one: shift swaps.",
      "Expense report rejected: dinner for {n1} at {amount} lacks names of guests. {PERSON/first} says they were from "
      "{ORGANIZATION}, but we need a list.",
      "Union grievance {n4}: member {PERSON/full}, age {AGE}, alleges that younger drivers were given the newer trucks "
      "without regard to seniority.",
      "Training matrix for forklift operators - expired: {PERSON/last}; expiring {DATE_TIME}: {PERSON/last}; all "
      "others valid.",
      "Pension estimate requested by {PERSON/full}, SSN {US_SSN}, born {DATE_TIME/birth}. Assume retirement at {AGE} "
      "and no further contributions.",
      "Parking permit {n4} belongs to {PERSON}, not to the visitor. Security should phone him on {PHONE_NUMBER} before "
      "towing the car.",
      "Accident on the loading ramp at {DATE_TIME/full}. Injured: {PERSON}, temp from {ORGANIZATION}. First aid given, "
      "ankle swollen, sent to urgent care.",
      "FMLA paperwork for {PERSON} is incomplete: page {n1} lacks the signature of the treating physician, Dr. "
      "{PERSON/last}. Deadline {DATE_TIME}.",
      "could someone from people ops fix my name in the directory? it's {PERSON/full} with an accent, and my mail "
      "should be {EMAIL_ADDRESS}",
      "Sales contest winner: {PERSON/full} of our partner {ORGANIZATION/shop}, {n3} units in one quarter. Trip tickets "
      "go to {EMAIL_ADDRESS}.",
  };
  return templates;
}

}  // namespace entune
