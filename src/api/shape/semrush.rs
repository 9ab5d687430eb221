//! Semrush's envelope, and the pages of its lists.

use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::meaning::{Answer, Meaning, Words};

/// The envelope: `{"meta": {…}, "data": …}` or `{"meta": {…}, "error": {…}}` (documentation, "API response format").
#[derive(Default, Deserialize)]
#[serde(default)]
struct Wrapped<'a> {
    #[serde(borrow)]
    meta: Option<&'a RawValue>,
    /// `null` is data, too.
    #[serde(borrow, deserialize_with = "present")]
    data: Option<&'a RawValue>,
    #[serde(borrow)]
    error: Option<&'a RawValue>,
    #[serde(borrow)]
    code: Option<&'a RawValue>,
    #[serde(borrow)]
    message: Option<&'a RawValue>,
}

fn present<'de, D: Deserializer<'de>>(value: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(value).map(Some)
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Meta {
    success: Option<bool>,
    status_code: Option<u16>,
    limit: Option<u64>,
    offset: Option<u64>,
    total_count: Option<u64>,
}

impl<'a> Wrapped<'a> {
    /// Only an object is an envelope; serde would read a list as one, too.
    fn of(json: &'a str) -> Option<Self> {
        let object = Some(json).filter(|json| json.starts_with('{'))?;
        serde_json::from_str(object).ok()
    }
}

impl Meta {
    /// Of an envelope whose `meta` has other types in it, nothing is known.
    fn of(wrapped: &Wrapped<'_>) -> Self {
        let meta = wrapped.meta.map(RawValue::get);
        meta.and_then(|text| serde_json::from_str(text).ok())
            .unwrap_or_default()
    }
}

/// What JSON in an answer with a success status means.
pub(super) fn unwrap<'a>(answer: Answer<'_>, json: &'a str) -> Meaning<'a> {
    let Some(wrapped) = Wrapped::of(json) else {
        return Meaning::Json(json);
    };
    let meta = Meta::of(&wrapped);
    let flat_error = wrapped.meta.is_none()
        && wrapped.data.is_none()
        && wrapped.code.is_some()
        && wrapped.message.is_some();
    if wrapped.error.is_some() || meta.success == Some(false) || flat_error {
        let told = meta.status_code.filter(|told| *told >= 400);
        return Meaning::Refused(
            Words::of(json, answer.proof).refusal(told.unwrap_or(answer.status)),
        );
    }
    match (wrapped.meta, wrapped.data) {
        (_, Some(data)) => Meaning::Json(data.get()),
        (Some(_), None) => Meaning::Empty,
        (None, None) => Meaning::Json(json),
    }
}

/// One page of a list, and where the next one is.
#[derive(Debug)]
pub struct Page<'a> {
    /// The entries, to the byte as they came.
    pub entries: Vec<&'a RawValue>,
    /// The query parameter and the value that lead on; `None` on the last page.
    pub next: Option<(&'static str, u64)>,
}

/// Reads a page by the two ways that Semrush documents: `data.content` with `last` and `number`, asked for by `page`, which
/// counts from 0 (Map Rank Tracker, "GetCampaigns"); `data` with `meta.limit`, `offset` and `total_count` (Projects, "List
/// Projects"). `None` where the answer is of neither form.
pub fn page(json: &str) -> Option<Page<'_>> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Content<'a> {
        #[serde(borrow)]
        content: Vec<&'a RawValue>,
        last: bool,
        number: u64,
    }
    let wrapped = Wrapped::of(json)?;
    let data = wrapped.data?.get();
    if data.starts_with('{') {
        let page: Content<'_> = serde_json::from_str(data).ok()?;
        let ended = page.last || page.content.is_empty();
        return Some(Page {
            entries: page.content,
            next: (!ended).then_some(("page", page.number.saturating_add(1))),
        });
    }
    let meta = Meta::of(&wrapped);
    let (_, offset, total) = (meta.limit?, meta.offset?, meta.total_count?);
    let entries: Vec<&RawValue> = serde_json::from_str(data).ok()?;
    let reached = offset.saturating_add(entries.len() as u64);
    let ended = reached >= total || entries.is_empty();
    Some(Page {
        entries,
        next: (!ended).then_some(("offset", reached)),
    })
}
