//! Where `web_search` should believe that the user is.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::decode::{At, Invalid};
use crate::limits::USER_LOCATION_CHARS;

/// ISO 3166-1 alpha-2, two letters each.
const COUNTRIES: &str = "\
ADAEAFAGAIALAMAOAQARASATAUAWAXAZBABBBDBEBFBGBHBIBJBLBMBNBOBQBRBSBTBVBWBYBZCACCCDCFCGCHCICKCLCMCN\
COCRCUCVCWCXCYCZDEDJDKDMDODZECEEEGEHERESETFIFJFKFMFOFRGAGBGDGEGFGGGHGIGLGMGNGPGQGRGSGTGUGWGYHKHM\
HNHRHTHUIDIEILIMINIOIQIRISITJEJMJOJPKEKGKHKIKMKNKPKRKWKYKZLALBLCLILKLRLSLTLULVLYMAMCMDMEMFMGMHMK\
MLMMMNMOMPMQMRMSMTMUMVMWMXMYMZNANCNENFNGNINLNONPNRNUNZOMPAPEPFPGPHPKPLPMPNPRPSPTPWPYQARERORSRURW\
SASBSCSDSESGSHSISJSKSLSMSNSOSRSSSTSVSXSYSZTCTDTFTGTHTJTKTLTMTNTOTRTTTVTWTZUAUGUMUSUYUZVAVCVEVGVI\
VNVUWFWSYEYTZAZMZW";

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum UserLocation {
    Approximate {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        city: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        country: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        region: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        timezone: Option<String>,
    },
}

impl UserLocation {
    pub(crate) fn decode(at: At<'_>) -> Result<Self, Invalid> {
        let mut fields = at.fields()?;
        match fields.tag()? {
            "approximate" => {}
            other => return Err(fields.unknown_tag(other, &["approximate"])),
        }
        let location = Self::Approximate {
            city: fields.nullable("city", |at| at.text(USER_LOCATION_CHARS))?,
            country: fields.nullable("country", country)?,
            region: fields.nullable("region", |at| at.text(USER_LOCATION_CHARS))?,
            timezone: fields.nullable("timezone", timezone)?,
        };
        fields.finish()?;
        Ok(location)
    }
}

fn country(at: At<'_>) -> Result<String, Invalid> {
    let code = at.text(USER_LOCATION_CHARS)?;
    let known = COUNTRIES
        .as_bytes()
        .chunks(2)
        .any(|country| country == code.as_bytes());
    if !known {
        return Err(at.invalid("Input should be an ISO 3166-1 alpha-2 country code in upper case"));
    }
    Ok(code)
}

fn timezone(at: At<'_>) -> Result<String, Invalid> {
    let name = at.text(USER_LOCATION_CHARS)?;
    // The embedded database: the answer must not depend on the machine.
    if jiff::tz::TimeZoneDatabase::bundled().get(&name).is_err() {
        return Err(at.invalid("Input should be the name of an IANA time zone"));
    }
    Ok(name)
}
