//! Bit rot and partial copies: one bit flipped in every region, cuts at and beside every border (bad-inputs #49).

use e2e::bundle_builder::{Sample, entries_of};

use super::Case;

pub(super) fn cases() -> Vec<Case> {
    let bundle = Sample::new().build();
    let mut cases = Vec::new();
    let mut borders = Vec::new();
    let mut at = 0;
    for (index, entry) in entries_of(&bundle).iter().enumerate() {
        for (region, bytes) in
            [("header", &entry.header), ("content", &entry.content), ("padding", &entry.padding)]
        {
            let end = at + bytes.len();
            borders.extend([at, end]);
            if at == end {
                continue;
            }
            for (place, byte) in [("first", at), ("middle", usize::midpoint(at, end)), ("last", end - 1)] {
                for bit in [0, 7] {
                    let mut changed = bundle.clone();
                    changed[byte] ^= 1 << bit;
                    let name = format!("bit {bit} of the {place} byte of the {region} of entry {index}");
                    cases.push(Case { name, bundle: changed, refusal: Some("") });
                }
            }
            at = end;
        }
    }
    borders.sort_unstable();
    borders.dedup();
    let lengths = borders.iter().flat_map(|border| [border.saturating_sub(1), *border, border + 1]);
    let mut lengths: Vec<usize> = lengths.filter(|length| *length < bundle.len()).collect();
    lengths.dedup();
    lengths.sort_unstable();
    lengths.dedup();
    cases.extend(lengths.into_iter().map(|length| Case {
        name: format!("cut to {length} bytes"),
        bundle: bundle[..length].to_vec(),
        refusal: Some(""),
    }));
    cases
}
