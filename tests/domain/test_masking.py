"""Contact details go, everything else stays: made-up people, example domains and numbers kept free for fiction."""

import pytest

from notifier.domain.dialling_regions import dialling_regions
from notifier.domain.masking import (
    EMAIL_MARK,
    PHONE_MARK,
    collect_contacts,
    mask_text,
)

EVERYWHERE = (
    "AR",
    "AT",
    "BR",
    "CN",
    "DE",
    "DK",
    "ES",
    "FR",
    "GB",
    "HK",
    "IN",
    "IT",
    "JP",
    "KR",
    "NL",
    "PL",
    "TR",
    "US",
)
ADDRESSES = (
    "roe@example.org",
    "jane.roe+trial@mail.example.co.uk",
    "o'roe@example.ie",
    "JANE@EXAMPLE.COM",
    "jane\\_roe@example.org",
    "jürgen@müller.example.de",
    "roe[@]example.org",
    "roe(at)example.org",
    "roe (at) example (dot) org",
    "roe[at]example[.]org",
    "roe{at}example.org",
    "roe at example dot org",
    "ROE AT EXAMPLE DOT ORG",
    "jane dot roe at example dot org",
    "roe-at-example.org",
    "roe@@example.cn",
    "roe＠example．cn",
    "roe&#64;example.org",
    "roe%40example.org",
    "roe @ example . com",
    "roe@ example.com",
    "roe @example.com",
    "roe@example..com",
    "roe@.example.com",
    "roe@example,com",
    "roe@example. com",
    "roe@\nexample.com",
    "roe@gmail",
    "roe@gmailcom",
    "roe@163.com",
    "15500000000@126.com",
    "roe&#x40;example.org",
    "roe(ät)example.de",
    "roe(a)example.de",
    "roe@example\\.org",
    "roe@exam\u00adple.org",
    "roe\u200b@example.org",
    "roe@example.рф",
    "roe<at>example<dot>org",
    "roe@example.org_",
    "jane.roe at example.org",
    "Jane.Roe@hospital",
)

NUMBERS = (
    "617-555-0199",
    "(617) 555-0199",
    "1 (617) 5550199",
    "1-617-555-0199",
    "617.555.0199",
    "+1 617 555 0199",
    "+16175550199",
    "＋1 617 555 0199",
    "（+1）617 555 0199",
    "+44 (0)20 7946 0958",
    "+44.20.7946.0958",
    "+61-2-5550-0123",
    "(+61) 2 5550 0123",
    "0044 20 7946 0958",
    "+1 617 555 0199 ext. 123",
    "617-555-0199 x123",
    "(617) 555-0199, extension 12",
    "+86 21 5550 0123 转 8012",
    "1-877-CTEXAMP",
    "1-800-4-EXAMPL",
    "(800) CALL-NOW",
    "1-800-Exampled",
    "1.877.CT.EXAMP",
    "+1 (833) 4-EXAMPL",
)

CUED_NUMBERS = (
    "Tel: 0123456",
    "Tel. 020 7946 0958",
    "Phone number of the study nurse: 5550123",
    "please call 5550 0123",
    "contact us on 55501234",
    "fax 6855/5501",
    "Mobile - 07700900123",
    "cell no. 7700 900123",
    "Tél. : 01 99 00 12 34",
    "Teléfono (24 h): 55 5501 2345",
    "Telefon 030/23125 012",
    "Тел.: 8 (495) 555-01-23",
    "电话：021-55501234",
    "電話13955501234",
    "전화 02-555-0123",
    "WhatsApp/0770 0900123",
    "Tel0770900123",
    "tel:+447700900123",
    "Tel: 020 7946 0958 / 020 7946 0959",
    "phone 5550123 or 5550124",
    "7700900123 (mobile)",
    "Tel. １２３４５５５０１２３",
    "Tel. ٠١٢٣٤٥٥٥٠",
    "Handphone: 5550123",
    "Telemóvel: 5550 0123",
    "Telp. 021.555.0123",
    "SĐT: 0770 0900 123",
    "Jane Roe ist unter 030 5550123 erreichbar",
    "Contact the study nurse, Jane Roe of the Department, at 5550123",
    "Tel.-Nr.: 1805.418",
    "Fax 45/32/13/54/09",
    "Tel. 030 55501-0, -12 oder -13",
    "+1 617\n5550199",
    "call 1800 EXAMPLE",
    "Email:roe@example.orgTel:0123456",
)

HOME_NUMBERS = (
    ("United States", "6175550199"),
    ("China", "13800000000"),
    ("France", "01 99 00 12 34"),
    ("United Kingdom", "02079460958"),
    ("United Kingdom", "44 20 7946 0958"),
    ("Turkey (Türkiye)", "0212 555 01 23"),
    ("Germany", "030 23125012"),
    ("Italy", "040.3784319"),
)

LOOKALIKES = (
    "NCT01234567, NCT 01234567 and U1111-1314-5561",
    "EudraCT 2015-001894-41, CTIS 2023-503674-20-00",
    "jRCT2031230046, ChiCTR2100045678, ChiCTR 2100045678, ISRCTN96912679",
    "CTRI/2023/02/050123, UCV/2021-2022/140, NL65228.042.18, IRB#: 20-1234567",
    "1U01AI123456-01A1, W81XWH-12-1-0123, grant agreement No 101057639, ERC 101012345",
    "MK-3475-012-345, GSK5764227, BAY 80-6946, CAS 50-78-2, SNOMED CT 254837009",
    "0.016mg/kg/IgE(IU/ml), 2000-2500IU/m2, 1 000 000 IU, 10000000 CFU, 1x10^9 cells",
    "platelets 100 000 - 400 000/µL, WBC 4 500 - 11 000 /mm3, 12 345 678 reads",
    "between 09:00-16:00, 08.00-16.00, on 2023-01-31, 31.01.2023, 20230131, 1/1/2002-1/1/2022",
    "1995-2009, 2010 2011 2012, (2012-2014) 80 families, Version 1 08.02.2018",
    "Weeks 0, 2, 4, 8, 12, 16, 20; days 1-7 8-14 15-21; 3-6-12-24-36 months; 10 20 30 40 50 mg",
    "HPV 16/18/31/33/35/39/45, 28 0/7-36 6/7 weeks, 140/90 - 160/100, 95% CI 81.8 - 95.6",
    "52242-1009, 17210-080, 862-8655, M5G 2M9, 45.50884,-73.58781",
    "Lancet 2020 395 1054-62; 24(5):429-440. doi: 10.1016/S1474-4422(25)00065-1. PMID: 32145678",
    "https://example.org/trial/listing/3042471234 and 10.1023/a:1026111029376",
    "insurance number: 07229622-2",
    "Phone interviews 2019-2020, telephone follow-up at 30 60 90 120 days, calls at weeks 1 2 4 8 12 16",
    "the phone interview in 500 patients aged 18-65, PD-1 12 345 678 cells",
    "hg19 chr7:140453136-140453137, IBAN DE89 3704 0044 0532 0130 00, ORCID 0000-0002-1825-0097",
    "10 Gy @ 2 Gy per fraction, Research @ Bon Secours, 2 control subj @ 13 centers",
    "RGT2W@2.16.840.1.113883.2.1.3.2.4.18.48",
    "Example@Home consortium, Care@Home. In the study, Care@Home, it is",
    "follow @exampleclinic, https://example.com/@user.name/post",
    "look at example.org, meet at the centre; ClinicalTrials.gov at clinicaltrials.gov",
    "800 PATIENTS, 1 800 ADULT MEN, BRCA1 800 MUTATION, (800) PATIENTS",
    "Phone interviews follow. The value 77724-1471 is used. Calls are made. Site 3530639 too",
    "J Med 2019;394(7):6300-8977, 929: 5317-4890, CAS 7439-84-5, NDC 57663-2362-16",
    "extension study 7526-641, mobility 170 - 230, S/N 7511019160, 10Gy@2.5Gy",
)


@pytest.mark.parametrize("address", ADDRESSES)
@pytest.mark.parametrize("sentence", ["{}", "Write to {} for more.", "Contact: {}, or call", "({})"])
def test_an_address_is_masked_however_it_is_bent(address: str, sentence: str) -> None:
    assert mask_text(sentence.format(address)) == sentence.format(EMAIL_MARK)


@pytest.mark.parametrize(
    "text", ["e-mail: roe@hospital", "Email: roe at example.org", "邮箱roe@example.cn", "mailto:roe@x.de"]
)
def test_an_address_after_the_word_mail_may_be_incomplete(text: str) -> None:
    masked = mask_text(text)

    assert EMAIL_MARK in masked
    assert "roe" not in masked


def test_the_words_around_an_address_stay() -> None:
    text = "To gain access, write to roe@example.org.To follow us, see example.org; doe@example.org/roe@example.org"

    assert mask_text(text) == (
        f"To gain access, write to {EMAIL_MARK}.To follow us, see example.org; {EMAIL_MARK}/{EMAIL_MARK}"
    )


@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize("sentence", ["{}", "Ask {} for more.", "Jane's desk, {}, is open"])
def test_a_number_in_clear_notation_is_masked_without_being_announced(number: str, sentence: str) -> None:
    assert mask_text(sentence.format(number), regions=("US",)) == sentence.format(PHONE_MARK)


@pytest.mark.parametrize("text", CUED_NUMBERS)
def test_a_number_is_masked_where_it_is_called_one(text: str) -> None:
    masked = mask_text(text)

    assert PHONE_MARK in masked
    assert not any(len(group) > 2 for group in _digit_groups(masked))


@pytest.mark.parametrize(("country", "number"), HOME_NUMBERS)
def test_a_national_number_is_masked_in_a_record_with_sites_there(country: str, number: str) -> None:
    assert mask_text(f"Ask {number} about it", regions=dialling_regions([country])) == f"Ask {PHONE_MARK} about it"


@pytest.mark.parametrize(
    "hours", ["9 AM - 5 PM", "24 hours a day", "Mon - Fri 9 AM - 5 PM", "8:30-17:00", "days only", "h 8-12"]
)
@pytest.mark.parametrize("number", ["1-877-555-0123", "+1 617 555 0199"])
def test_hours_behind_a_number_stay(number: str, hours: str) -> None:
    assert mask_text(f"Call {number} {hours}") == f"Call {PHONE_MARK} {hours}"


@pytest.mark.parametrize("regions", [(), EVERYWHERE], ids=["nowhere", "everywhere"])
@pytest.mark.parametrize("text", LOOKALIKES)
def test_what_only_looks_like_a_contact_stays(text: str, regions: tuple[str, ...]) -> None:
    assert mask_text(text, regions=regions) == text


def test_a_known_number_is_masked_in_another_notation() -> None:
    known = collect_contacts({"contacts": [{"phone": "+86-021-5550-1234"}]})

    assert mask_text("See 02155501234, see 5550 1234", known=known) == f"See {PHONE_MARK}, see {PHONE_MARK}"


@pytest.mark.parametrize(
    "country", ["Korea, Republic of", "South Korea", "Turkey", "Turkey (Türkiye)", "Russian Federation"]
)
def test_the_registrys_country_names_are_known(country: str) -> None:
    assert len(dialling_regions([country])) == 1


def test_an_unknown_country_is_left_out() -> None:
    assert dialling_regions(["Iran, Islamic Republic of", "Nowhere", "Iran", "Côte D'Ivoire", "Czechia"]) == (
        "CI",
        "CZ",
        "IR",
    )


def _digit_groups(text: str) -> list[str]:
    return "".join(sign if sign.isdecimal() else " " for sign in text).split()
