//! Money in the smallest unit of its currency, by decimal arithmetic: never through a binary fraction.

use rust_decimal::prelude::ToPrimitive;
use rust_decimal::{Decimal, RoundingStrategy};

use crate::action::Warning;
use crate::json::{Json, Object};

/// Currencies without a smaller unit (ISO 4217).
const WHOLE: &str = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF";
/// Currencies with two decimals.
const HUNDREDTHS: &str = "AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BOV BRL BSD BTN BWP BYN BZD \
     CAD CDF CHE CHF CHW CNY COP COU CRC CUC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD \
     HKD HNL HRK HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU \
     MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD \
     SHP SLE SLL SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD USN UYU UZS VED VES WST XCD XCG YER \
     ZAR ZMW ZWG ZWL";
/// Currencies with three decimals.
const THOUSANDTHS: &str = "BHD IQD JOD KWD LYD OMR TND";
/// Currencies with four decimals.
const TEN_THOUSANDTHS: &str = "CLF UYW";
/// Used when an event names none.
const DEFAULT_CURRENCY: &str = "USD";

/// An amount in the smallest unit of its currency.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Price {
    /// How many of the smallest unit.
    pub amount: i64,
    /// Three capital letters.
    pub currency: String,
}

impl Price {
    /// As Intercom reads a monetary value.
    pub fn to_json(&self) -> Json<'static> {
        let mut object = Object::new();
        object.push_new("amount", self.amount.into());
        object.push_new("currency", self.currency.clone().into());
        object.into()
    }
}

/// Reads a revenue, a number or its text, as a price. `None` when it is not one; a warning says why. Digits beyond the
/// currency's smallest unit are rounded half away from zero, with a warning.
pub fn price(revenue: &Json<'_>, currency: Option<&str>, warnings: &mut Vec<Warning>) -> Option<Price> {
    let Some(value) = decimal(revenue) else {
        let message = format!("{revenue} is not an amount of money, so there is no price");
        warnings.push(Warning::new("revenue", "revenue_invalid", message));
        return None;
    };
    let currency = currency.map(str::trim).filter(|code| !code.is_empty()).unwrap_or(DEFAULT_CURRENCY);
    if currency.len() != 3 || !currency.bytes().all(|byte| byte.is_ascii_alphabetic()) {
        let message = format!("`{currency}` is not a three-letter currency code, so there is no price");
        warnings.push(Warning::new("currency", "currency_invalid", message));
        return None;
    }
    let currency = currency.to_ascii_uppercase();
    let decimals = decimals(&currency).unwrap_or_else(|| {
        let message = format!("`{currency}` is not a currency of ISO 4217; two decimals are assumed");
        warnings.push(Warning::new("currency", "currency_unknown", message));
        2
    });
    let Some((amount, cut)) = smallest_unit(value, decimals) else {
        warnings.push(Warning::new("revenue", "revenue_invalid", format!("{revenue} is too large for a price")));
        return None;
    };
    if cut {
        let message = format!("{revenue} {currency} was rounded to {amount} of the smallest unit");
        warnings.push(Warning::new("revenue", "revenue_rounded", message));
    }
    Some(Price { amount, currency })
}

fn decimals(currency: &str) -> Option<u32> {
    let lists = [(WHOLE, 0), (HUNDREDTHS, 2), (THOUSANDTHS, 3), (TEN_THOUSANDTHS, 4)];
    lists.into_iter().find(|(list, _)| list.split_ascii_whitespace().any(|code| code == currency)).map(|(_, n)| n)
}

/// The exact decimal that was written: for a number, its shortest text.
fn decimal(json: &Json<'_>) -> Option<Decimal> {
    let text = match json {
        Json::Number(number) => number.to_string(),
        Json::String(text) => text.trim().to_owned(),
        _ => return None,
    };
    let plain = text.bytes().all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(&byte));
    if !plain || !text.bytes().any(|byte| byte.is_ascii_digit()) {
        return None;
    }
    match text.contains(['e', 'E']) {
        true => Decimal::from_scientific(&text).ok(),
        false => text.parse().ok(),
    }
}

/// The value in the smallest unit, and whether digits were cut.
fn smallest_unit(value: Decimal, decimals: u32) -> Option<(i64, bool)> {
    let exact = value.checked_mul(Decimal::from(10_i64.pow(decimals)))?;
    let rounded = exact.round_dp_with_strategy(0, RoundingStrategy::MidpointAwayFromZero);
    Some((rounded.to_i64()?, rounded != exact))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json;

    /// `expected`: amount, currency and the codes of the warnings.
    #[track_caller]
    fn check(revenue: &str, currency: Option<&str>, expected: (Option<(i64, &str)>, &[&str])) {
        let mut warnings = Vec::new();
        let price = price(&json::parse(revenue.as_bytes()).unwrap(), currency, &mut warnings);
        let codes: Vec<&str> = warnings.iter().map(|warning| &*warning.code).collect();
        let found = (price.as_ref().map(|price| (price.amount, price.currency.as_str())), codes.as_slice());
        assert_eq!(found, expected, "{revenue} {currency:?}");
    }

    #[test]
    fn amounts_are_exact() {
        for (revenue, amount) in [
            ("19.99", 1999),
            ("1.1", 110),
            ("4.35", 435),
            ("0.07", 7),
            ("1.15", 115),
            ("8.2", 820),
            ("-5.5", -550),
            ("0", 0),
            ("-0.0", 0),
            ("5", 500),
            ("1e3", 100_000),
            ("\"1e3\"", 100_000),
            ("\"19.99\"", 1999),
            ("\" +19.990 \"", 1999),
            ("\"92233720368547758.07\"", i64::MAX),
            ("123456789012345", 12_345_678_901_234_500),
        ] {
            check(revenue, None, (Some((amount, "USD")), &[]));
        }
    }

    #[test]
    fn the_currency_says_how_many_decimals() {
        check("500", Some("JPY"), (Some((500, "JPY")), &[]));
        check("500", Some(" jpy "), (Some((500, "JPY")), &[]));
        check("1000.4", Some("KRW"), (Some((1000, "KRW")), &["revenue_rounded"]));
        check("1.234", Some("KWD"), (Some((1234, "KWD")), &[]));
        check("1.2345", Some("KWD"), (Some((1235, "KWD")), &["revenue_rounded"]));
        check("1.23456", Some("CLF"), (Some((12346, "CLF")), &["revenue_rounded"]));
        check("7", Some("QQQ"), (Some((700, "QQQ")), &["currency_unknown"]));
        check("7", Some("dollars"), (None, &["currency_invalid"]));
        check("7", Some(""), (Some((700, "USD")), &[]));
    }

    #[test]
    fn halves_are_rounded_away_from_zero() {
        check("0.005", None, (Some((1, "USD")), &["revenue_rounded"]));
        check("-0.005", None, (Some((-1, "USD")), &["revenue_rounded"]));
        check("1.004", None, (Some((100, "USD")), &["revenue_rounded"]));
        check("1e-7", None, (Some((0, "USD")), &["revenue_rounded"]));
    }

    #[test]
    fn what_is_not_money_is_no_price() {
        for junk in ["true", "\"\"", "\"19,99\"", "\"$5\"", "\"1_000\"", "\"NaN\"", "\"e\"", "\"1.2.3\"", "[1]", "{}"] {
            check(junk, None, (None, &["revenue_invalid"]));
        }
        for huge in ["1e300", "1e27", "\"99999999999999999999\"", "\"1e999999999\""] {
            check(huge, None, (None, &["revenue_invalid"]));
        }
    }

    #[test]
    fn no_currency_stands_in_two_lists() {
        let all: Vec<&str> =
            [WHOLE, HUNDREDTHS, THOUSANDTHS, TEN_THOUSANDTHS].iter().flat_map(|list| list.split_whitespace()).collect();
        let distinct: std::collections::HashSet<&str> = all.iter().copied().collect();
        assert_eq!(all.len(), distinct.len());
    }
}
