//! What both programs say and how.
