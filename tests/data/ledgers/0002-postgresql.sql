--
-- PostgreSQL database dump
--

\restrict fixture

-- Dumped from database version 18.4
-- Dumped by pg_dump version 18.4

SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET transaction_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
SET xmloption = content;
SET client_min_messages = warning;
SET row_security = off;

SET default_tablespace = '';

SET default_table_access_method = heap;

--
-- Name: alembic_version; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.alembic_version (
    version_num character varying(32) NOT NULL
);


--
-- Name: customer; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.customer (
    id text NOT NULL,
    name text,
    email text,
    phone text,
    preferred_channels text DEFAULT ''::text NOT NULL,
    addresses text,
    locale text,
    timezone text,
    opted_out_at bigint,
    created_at bigint NOT NULL,
    updated_at bigint NOT NULL
);


--
-- Name: daemon; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.daemon (
    boot_id text NOT NULL,
    host text NOT NULL,
    pid integer NOT NULL,
    started_at bigint NOT NULL,
    heartbeat_at bigint NOT NULL,
    stopped_at bigint,
    channels text DEFAULT '{}'::text NOT NULL,
    sources text DEFAULT '{}'::text NOT NULL,
    process text,
    fenced_at bigint
);


--
-- Name: dead_letter; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.dead_letter (
    id bigint NOT NULL,
    source text NOT NULL,
    key bytea NOT NULL,
    external_id text,
    payload bytea NOT NULL,
    reason text NOT NULL,
    received_at bigint NOT NULL
);


--
-- Name: dead_letter_id_seq; Type: SEQUENCE; Schema: public; Owner: -
--

CREATE SEQUENCE public.dead_letter_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;


--
-- Name: dead_letter_id_seq; Type: SEQUENCE OWNED BY; Schema: public; Owner: -
--

ALTER SEQUENCE public.dead_letter_id_seq OWNED BY public.dead_letter.id;


--
-- Name: delivery_attempt; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.delivery_attempt (
    id bigint NOT NULL,
    message_number bigint NOT NULL,
    started_at bigint NOT NULL,
    ended_at bigint NOT NULL,
    provider text NOT NULL,
    outcome text NOT NULL,
    provider_id text,
    error text
);


--
-- Name: delivery_attempt_id_seq; Type: SEQUENCE; Schema: public; Owner: -
--

CREATE SEQUENCE public.delivery_attempt_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;


--
-- Name: delivery_attempt_id_seq; Type: SEQUENCE OWNED BY; Schema: public; Owner: -
--

ALTER SEQUENCE public.delivery_attempt_id_seq OWNED BY public.delivery_attempt.id;


--
-- Name: feedback; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.feedback (
    id bigint NOT NULL,
    source text NOT NULL,
    external_id text NOT NULL,
    content_hash bytea NOT NULL,
    customer_id text,
    item text,
    rating double precision NOT NULL,
    comment text NOT NULL,
    given_at bigint,
    received_at bigint NOT NULL,
    thank boolean NOT NULL,
    state text NOT NULL,
    ended text,
    analysis text,
    processed_at bigint,
    attempts integer DEFAULT 0 NOT NULL,
    retry_at bigint,
    error text,
    lease_owner text,
    suspicion integer DEFAULT 0 NOT NULL
)
WITH (fillfactor='50');


--
-- Name: feedback_id_seq; Type: SEQUENCE; Schema: public; Owner: -
--

CREATE SEQUENCE public.feedback_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;


--
-- Name: feedback_id_seq; Type: SEQUENCE OWNED BY; Schema: public; Owner: -
--

ALTER SEQUENCE public.feedback_id_seq OWNED BY public.feedback.id;


--
-- Name: low_rating; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.low_rating (
    id bigint NOT NULL,
    feedback_id bigint NOT NULL,
    state text NOT NULL,
    owner text,
    notes text DEFAULT '[]'::text NOT NULL,
    due_at bigint,
    stored_at bigint NOT NULL,
    acknowledged_at bigint,
    resolved_at bigint
);


--
-- Name: low_rating_id_seq; Type: SEQUENCE; Schema: public; Owner: -
--

CREATE SEQUENCE public.low_rating_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;


--
-- Name: low_rating_id_seq; Type: SEQUENCE OWNED BY; Schema: public; Owner: -
--

ALTER SEQUENCE public.low_rating_id_seq OWNED BY public.low_rating.id;


--
-- Name: message; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.message (
    id bigint NOT NULL,
    message_id text NOT NULL,
    dedupe_key text NOT NULL,
    purpose text NOT NULL,
    feedback_id bigint,
    customer_id text,
    customer_name text,
    channel text NOT NULL,
    recipient text NOT NULL,
    locale text,
    subject text NOT NULL,
    text text NOT NULL,
    html text NOT NULL,
    state text NOT NULL,
    attempts integer DEFAULT 0 NOT NULL,
    created_at bigint NOT NULL,
    next_attempt_at bigint NOT NULL,
    lease_owner text,
    lease_until bigint,
    may_leave_at bigint,
    maybe_sent_at bigint,
    settled_at bigint,
    provider text,
    provider_id text,
    error text
);


--
-- Name: message_id_seq; Type: SEQUENCE; Schema: public; Owner: -
--

CREATE SEQUENCE public.message_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;


--
-- Name: message_id_seq; Type: SEQUENCE OWNED BY; Schema: public; Owner: -
--

ALTER SEQUENCE public.message_id_seq OWNED BY public.message.id;


--
-- Name: meta; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.meta (
    key text NOT NULL,
    value text NOT NULL
);


--
-- Name: rate; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.rate (
    provider text NOT NULL,
    next_at bigint NOT NULL
);


--
-- Name: report_run; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.report_run (
    id bigint NOT NULL,
    name text NOT NULL,
    local_date text NOT NULL,
    timezone text NOT NULL,
    made_at bigint NOT NULL,
    occasion text NOT NULL,
    figures text NOT NULL
);


--
-- Name: report_run_id_seq; Type: SEQUENCE; Schema: public; Owner: -
--

CREATE SEQUENCE public.report_run_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;


--
-- Name: report_run_id_seq; Type: SEQUENCE OWNED BY; Schema: public; Owner: -
--

ALTER SEQUENCE public.report_run_id_seq OWNED BY public.report_run.id;


--
-- Name: source; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.source (
    name text NOT NULL,
    "position" text,
    paused_at bigint,
    received bigint DEFAULT '0'::bigint NOT NULL,
    received_at bigint
);


--
-- Name: tries_by_minute; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.tries_by_minute (
    provider text NOT NULL,
    minute bigint NOT NULL,
    tries bigint NOT NULL
);


--
-- Name: dead_letter id; Type: DEFAULT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.dead_letter ALTER COLUMN id SET DEFAULT nextval('public.dead_letter_id_seq'::regclass);


--
-- Name: delivery_attempt id; Type: DEFAULT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.delivery_attempt ALTER COLUMN id SET DEFAULT nextval('public.delivery_attempt_id_seq'::regclass);


--
-- Name: feedback id; Type: DEFAULT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.feedback ALTER COLUMN id SET DEFAULT nextval('public.feedback_id_seq'::regclass);


--
-- Name: low_rating id; Type: DEFAULT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.low_rating ALTER COLUMN id SET DEFAULT nextval('public.low_rating_id_seq'::regclass);


--
-- Name: message id; Type: DEFAULT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.message ALTER COLUMN id SET DEFAULT nextval('public.message_id_seq'::regclass);


--
-- Name: report_run id; Type: DEFAULT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.report_run ALTER COLUMN id SET DEFAULT nextval('public.report_run_id_seq'::regclass);


--
-- Data for Name: alembic_version; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.alembic_version VALUES ('0002');


--
-- Data for Name: customer; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.customer VALUES ('ada', 'Ada', NULL, NULL, 'chat', NULL, 'de-AT', NULL, NULL, 1795977934925, 1795977934925);
INSERT INTO public.customer VALUES ('bob', 'Bob', NULL, NULL, 'chat', NULL, 'de-AT', NULL, NULL, 1795977935645, 1795977935645);
INSERT INTO public.customer VALUES ('later1', 'Later1', NULL, NULL, 'chat', NULL, 'de-AT', NULL, NULL, 1795977936342, 1795977936342);
INSERT INTO public.customer VALUES ('never', 'Never', NULL, NULL, 'chat', NULL, 'de-AT', NULL, NULL, 1795977937803, 1795977937803);
INSERT INTO public.customer VALUES ('unknown', 'Unknown', NULL, NULL, 'chat', NULL, 'de-AT', NULL, NULL, 1795977938515, 1795977938515);
INSERT INTO public.customer VALUES ('crash', 'Crash', NULL, NULL, 'chat', NULL, 'de-AT', NULL, NULL, 1795977939208, 1795977939208);
INSERT INTO public.customer VALUES ('later2', 'Later2', NULL, NULL, 'chat', NULL, 'de-AT', NULL, 1795977952917, 1795977937185, 1795977937185);
INSERT INTO public.customer VALUES ('killer', NULL, NULL, NULL, '', NULL, NULL, NULL, NULL, 1795978019904, 1795978019904);


--
-- Data for Name: daemon; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.daemon VALUES ('c1c44891908fd39e', 'host', 26721, 1795977949566, 1795977949664, 1795977949664, '{}', '{}', '{"boot": "00000000-0000-4000-8000-000000000000", "pids": "pid:[4026531836]", "pid": 26721, "started": 264774}', NULL);
INSERT INTO public.daemon VALUES ('7d476e5488a82c30', 'host', 26929, 1795977955471, 1795977955624, 1795977955624, '{}', '{}', '{"boot": "00000000-0000-4000-8000-000000000000", "pids": "pid:[4026531836]", "pid": 26929, "started": 265316}', NULL);
INSERT INTO public.daemon VALUES ('96c72e4fbf53dc17', 'host', 26986, 1795977956961, 1795977956991, 1795977956991, '{}', '{}', '{"boot": "00000000-0000-4000-8000-000000000000", "pids": "pid:[4026531836]", "pid": 26986, "started": 265449}', NULL);
INSERT INTO public.daemon VALUES ('4ee29279aae234d9', 'host', 8522, 1795978027676, 1795978027676, NULL, '{}', '{}', '{"boot": "00000000-0000-4000-8000-000000000000", "pids": "pid:[4026531836]", "pid": 8522, "started": 272564}', 1795978028719);
INSERT INTO public.daemon VALUES ('884ca1b7d01258f8', 'host', 8685, 1795978028718, 1795978028821, 1795978028821, '{}', '{}', '{"boot": "00000000-0000-4000-8000-000000000000", "pids": "pid:[4026531836]", "pid": 8685, "started": 272659}', NULL);
INSERT INTO public.daemon VALUES ('73443e43aff2b604', 'host', 8796, 1795978029751, 1795978029871, 1795978029871, '{}', '{}', '{"boot": "00000000-0000-4000-8000-000000000000", "pids": "pid:[4026531836]", "pid": 8796, "started": 272772}', NULL);
INSERT INTO public.daemon VALUES ('fb99feeb92adc379', 'host', 8849, 1795978030925, 1795978031055, 1795978031055, '{}', '{}', '{"boot": "00000000-0000-4000-8000-000000000000", "pids": "pid:[4026531836]", "pid": 8849, "started": 272881}', NULL);
INSERT INTO public.daemon VALUES ('7385dcea3e9a88f5', 'host', 9379, 1795978032834, 1795978032834, NULL, '{}', '{}', '{"boot": "00000000-0000-4000-8000-000000000000", "pids": "pid:[4026531836]", "pid": 9379, "started": 273074}', NULL);
INSERT INTO public.daemon VALUES ('1e59a686de6e7948', 'host', 27019, 1795977958614, 1795978018844, 1795978018844, '{}', '{"feed": {"state": "running", "reason": null, "down_since": null, "lag": null, "conflicts": 0}}', '{"boot": "00000000-0000-4000-8000-000000000000", "pids": "pid:[4026531836]", "pid": 27019, "started": 265620}', NULL);
INSERT INTO public.daemon VALUES ('b104828ed259eddc', 'host', 7722, 1795978022656, 1795978022656, NULL, '{}', '{}', '{"boot": "00000000-0000-4000-8000-000000000000", "pids": "pid:[4026531836]", "pid": 7722, "started": 272065}', 1795978023873);
INSERT INTO public.daemon VALUES ('ac2aa54fa4dfa409', 'host', 7840, 1795978023866, 1795978023866, NULL, '{}', '{}', '{"boot": "00000000-0000-4000-8000-000000000000", "pids": "pid:[4026531836]", "pid": 7840, "started": 272157}', 1795978025138);
INSERT INTO public.daemon VALUES ('7107da40e396f51c', 'host', 8103, 1795978025136, 1795978025136, NULL, '{}', '{}', '{"boot": "00000000-0000-4000-8000-000000000000", "pids": "pid:[4026531836]", "pid": 8103, "started": 272290}', 1795978026600);
INSERT INTO public.daemon VALUES ('8cd89b186e8062c5', 'host', 8271, 1795978026597, 1795978026597, NULL, '{}', '{}', '{"boot": "00000000-0000-4000-8000-000000000000", "pids": "pid:[4026531836]", "pid": 8271, "started": 272409}', 1795978027677);


--
-- Data for Name: dead_letter; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.dead_letter VALUES (1, 'feed', '\xb5fa524338a1abba06e0faa9977f64c7', '2', '\x6e6f20726174696e6720617420616c6c', 'invalid JSON at column 1: expecting value', 1795977958827);


--
-- Data for Name: delivery_attempt; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.delivery_attempt VALUES (1, 1, 1795977949656, 1795977949656, 'chat', 'sent', 'p-thanks.1', NULL);
INSERT INTO public.delivery_attempt VALUES (2, 2, 1795977949656, 1795977949656, 'chat', 'sent', 'p-thanks.2', NULL);
INSERT INTO public.delivery_attempt VALUES (3, 3, 1795977949656, 1795977949656, 'chat', 'temporary', NULL, 'come back later');
INSERT INTO public.delivery_attempt VALUES (4, 4, 1795977949656, 1795977949656, 'chat', 'temporary', NULL, 'come back later');
INSERT INTO public.delivery_attempt VALUES (5, 6, 1795977949656, 1795977949656, 'chat', 'unknown', NULL, 'who knows');
INSERT INTO public.delivery_attempt VALUES (6, 5, 1795977949656, 1795977949656, 'chat', 'permanent', NULL, 'nobody lives here');
INSERT INTO public.delivery_attempt VALUES (7, 7, 1795977956980, 1795977956980, 'chat', 'sent', 'p-report.d', NULL);
INSERT INTO public.delivery_attempt VALUES (8, 8, 1795977958862, 1795977958862, 'chat', 'sent', 'p-thanks.1', NULL);


--
-- Data for Name: feedback; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.feedback VALUES (12, 'feed', 'f1', '\x3ccebe2dce700b44a7e7c5ee', 'ada', 'tea', 4, 'from the feed', NULL, 1795977958827, true, 'processed', 'thanked', '{"tags": {"of": ["from", "the", "feed"], "long": false}}', 1795977958849, 0, NULL, NULL, NULL, 0);
INSERT INTO public.feedback VALUES (14, 'cli', 'r51', '\xba35ee010a89f0b9ddc7be35', 'crash', 'tea', 5, 'ends the program while it is sent', NULL, 1795978031554, true, 'processed', 'thanked', '{"tags": {"of": ["ends", "the", "program"], "long": true}}', 1795978033133, 0, NULL, NULL, NULL, 0);
INSERT INTO public.feedback VALUES (15, 'cli', 'r52', '\x4df8d8a9a83e146479f301a2', 'bob', 'tea', 3, 'not processed yet', NULL, 1795978034246, true, 'received', NULL, NULL, NULL, 0, NULL, NULL, NULL, 0);
INSERT INTO public.feedback VALUES (1, 'cli', 'r0', '\xc7e591ef907fcc2873d669fe', 'ada', 'tea', 5, 'lovely tea indeed', NULL, 1795977939833, true, 'processed', 'thanked', '{"tags": {"of": ["lovely", "tea", "indeed"], "long": false}}', 1795977949642, 0, NULL, NULL, NULL, 0);
INSERT INTO public.feedback VALUES (2, 'cli', 'r1', '\x38e3208ad5ac8b602afc3db9', 'bob', 'tea', 4, '', NULL, 1795977940785, true, 'processed', 'thanked', '{"tags": {"of": [], "long": false}}', 1795977949642, 0, NULL, NULL, NULL, 0);
INSERT INTO public.feedback VALUES (3, 'cli', 'r2', '\xab11a5708d982d916de8b980', 'ada', 'mug', 1, 'broken on arrival, sadly', NULL, 1795977941829, true, 'processed', 'low', '{"tags": {"of": ["broken", "on", "arrival,"], "long": true}}', 1795977949642, 0, NULL, NULL, NULL, 0);
INSERT INTO public.feedback VALUES (4, 'cli', 'r3', '\x70e033759e290b04c9851bc8', 'bob', 'mug', 2, 'late', NULL, 1795977942689, true, 'processed', 'low', '{"tags": {"of": ["late"], "long": false}}', 1795977949642, 0, NULL, NULL, NULL, 0);
INSERT INTO public.feedback VALUES (5, 'cli', 'r4', '\x7f2bdcafc443eaf0f4c923ce', 'ada', 'käse', 1, 'späte Lieferung', NULL, 1795977943633, true, 'processed', 'low', '{"tags": {"of": ["sp\u00e4te", "Lieferung"], "long": false}}', 1795977949642, 0, NULL, NULL, NULL, 0);
INSERT INTO public.feedback VALUES (6, 'cli', 'r5', '\xf8afd3ad56fa172e30140aa4', 'later1', 'tea', 5, 'fine', NULL, 1795977944384, true, 'processed', 'thanked', '{"tags": {"of": ["fine"], "long": false}}', 1795977949642, 0, NULL, NULL, NULL, 0);
INSERT INTO public.feedback VALUES (7, 'cli', 'r6', '\x62703488d705fd2247775547', 'later2', 'tea', 5, 'fine too', NULL, 1795977945204, true, 'processed', 'thanked', '{"tags": {"of": ["fine", "too"], "long": false}}', 1795977949642, 0, NULL, NULL, NULL, 0);
INSERT INTO public.feedback VALUES (8, 'cli', 'r7', '\xf8bcf49ff6e2184a8058a4f0', 'never', 'hat', 4, '', NULL, 1795977946406, true, 'processed', 'thanked', '{"tags": {"of": [], "long": false}}', 1795977949642, 0, NULL, NULL, NULL, 0);
INSERT INTO public.feedback VALUES (9, 'cli', 'r8', '\x8de57303c73664acce3e57b7', 'unknown', 'hat', 3, 'so so', NULL, 1795977947113, true, 'processed', 'thanked', '{"tags": {"of": ["so", "so"], "long": false}}', 1795977949642, 0, NULL, NULL, NULL, 0);
INSERT INTO public.feedback VALUES (10, 'cli', 'r9', '\x325fbacee9b5476815ee6aaa', NULL, NULL, 5, 'anon', NULL, 1795977947923, true, 'processed', 'no_customer', '{"tags": {"of": ["anon"], "long": false}}', 1795977949642, 0, NULL, NULL, NULL, 0);
INSERT INTO public.feedback VALUES (11, 'cli', 'r10', '\x74e72af1b5bd59221f644983', 'stranger', 'tea', 4, 'who am I', NULL, 1795977948622, true, 'processed', 'unknown_customer', '{"tags": {"of": ["who", "am", "I"], "long": false}}', 1795977949642, 0, NULL, NULL, NULL, 0);
INSERT INTO public.feedback VALUES (13, 'cli', 'r50', '\x14630ba7ffedd09e0973dd0f', 'killer', 'tea', 5, 'deadly', NULL, 1795978021432, true, 'dead', NULL, NULL, NULL, 0, NULL, 'the program ended 3 times while it worked on this rating alone', NULL, 5);


--
-- Data for Name: low_rating; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.low_rating VALUES (3, 5, 'open', NULL, '[]', NULL, 1795977949642, NULL, NULL);
INSERT INTO public.low_rating VALUES (1, 3, 'acknowledged', NULL, '[{"at": 1795977951206, "by": "root", "text": "rang them up"}]', NULL, 1795977949642, 1795977950653, NULL);
INSERT INTO public.low_rating VALUES (2, 4, 'resolved', NULL, '[]', NULL, 1795977949642, NULL, 1795977951862);


--
-- Data for Name: message; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.message VALUES (1, 'thanks.1.eecc091d2c8e', 'thanks:1', 'thanks', 1, 'ada', 'Ada', 'chat', 'ada', 'de-AT', 'Thank you for your 5-star rating of tea', 'Hello Ada,

thank you for rating tea with 5 of 5 stars. It helps us, and it helps
others to choose well.

You wrote:

    lovely tea indeed

We read every word.

Our team
', '', 'sent', 1, 1795977949642, 1795977949642, NULL, NULL, NULL, NULL, 1795977949656, 'chat', 'p-thanks.1', NULL);
INSERT INTO public.message VALUES (2, 'thanks.2.eecc091d2c8e', 'thanks:2', 'thanks', 2, 'bob', 'Bob', 'chat', 'bob', 'de-AT', 'Thank you for your 4-star rating of tea', 'Hello Bob,

thank you for rating tea with 4 of 5 stars. It helps us, and it helps
others to choose well.

Our team
', '', 'sent', 1, 1795977949642, 1795977949642, NULL, NULL, NULL, NULL, 1795977949656, 'chat', 'p-thanks.2', NULL);
INSERT INTO public.message VALUES (3, 'thanks.6.eecc091d2c8e', 'thanks:6', 'thanks', 6, 'later1', 'Later1', 'chat', 'later1', 'de-AT', 'Thank you for your 5-star rating of tea', 'Hello Later1,

thank you for rating tea with 5 of 5 stars. It helps us, and it helps
others to choose well.

You wrote:

    fine

We read every word.

Our team
', '', 'queued', 1, 1795977949642, 1797344336037, NULL, NULL, NULL, NULL, NULL, 'chat', NULL, 'come back later');
INSERT INTO public.message VALUES (5, 'thanks.8.eecc091d2c8e', 'thanks:8', 'thanks', 8, 'never', 'Never', 'chat', 'never', 'de-AT', 'Thank you for your 4-star rating of hat', 'Hello Never,

thank you for rating hat with 4 of 5 stars. It helps us, and it helps
others to choose well.

Our team
', '', 'dead', 1, 1795977949642, 1795977949656, NULL, NULL, NULL, NULL, 1795977949656, 'chat', NULL, 'nobody lives here');
INSERT INTO public.message VALUES (6, 'thanks.9.eecc091d2c8e', 'thanks:9', 'thanks', 9, 'unknown', 'Unknown', 'chat', 'unknown', 'de-AT', 'Thank you for your 3-star rating of hat', 'Hello Unknown,

thank you for rating hat with 3 of 5 stars. It helps us, and it helps
others to choose well.

You wrote:

    so so

We read every word.

Our team
', '', 'held', 1, 1795977949642, 1795977949656, NULL, NULL, NULL, 1795977949656, NULL, 'chat', NULL, 'who knows');
INSERT INTO public.message VALUES (4, 'thanks.7.eecc091d2c8e', 'thanks:7', 'thanks', 7, 'later2', 'Later2', 'chat', 'later2', 'de-AT', 'Thank you for your 5-star rating of tea', 'Hello Later2,

thank you for rating tea with 5 of 5 stars. It helps us, and it helps
others to choose well.

You wrote:

    fine too

We read every word.

Our team
', '', 'suppressed', 0, 1795977949642, 1795977954095, NULL, NULL, NULL, NULL, 1795977955483, 'chat', NULL, 'the customer opted out');
INSERT INTO public.message VALUES (9, 'thanks.14.eecc091d2c8e', 'thanks:14', 'thanks', 14, 'crash', 'Crash', 'chat', 'crash', 'de-AT', 'Thank you for your 5-star rating of tea', 'Hello Crash,

thank you for rating tea with 5 of 5 stars. It helps us, and it helps
others to choose well.

You wrote:

    ends the program while it is sent

We read every word.

Our team
', '', 'sending', 0, 1795978033133, 1795978033133, '7385dcea3e9a88f5', 1795978063215, 1795978033220, NULL, NULL, 'chat', NULL, NULL);
INSERT INTO public.message VALUES (7, 'report.daily.2026-11-28.270130f9.eecc091d2c8e', 'report:daily:2026-11-28:team', 'report', NULL, NULL, NULL, 'chat', 'team', NULL, 'Ratings on 2026-11-28: no ratings', 'Our team
Ratings on Saturday, 28 November 2026

No ratings arrived.
  The day before: no ratings
  Mean of the 7 days before: no ratings

Messages
  2026-11-28: 0 sent, 0 given up

Right now (2026-11-29 18:45)
  Low ratings open: 1, the oldest since 2026-11-29 18:45
  Messages queued: 1, the oldest since 2026-11-29 18:45
  Messages held until someone decides: 1
  Messages given up (dead): 1

Days and times are those of UTC. In brackets: the change. The mean is
taken over those of the 7 days that had ratings. Items are ordered by an average
that leans towards the day''s as long as an item has few ratings.
', '<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="supported-color-schemes" content="light dark">
<title>Ratings on 2026-11-28: no ratings</title>
<style>
@media (prefers-color-scheme: dark) {
  .page { background-color: #14181d !important; }
  .card { background-color: #1f252c !important; }
  .card td, .card th, .card div, .card h1, .card h2, .card h3, .card b { color: #e8ecf0 !important; border-color: #39424d !important; }
  .card .quiet, .card .quiet b { color: #a3afbc !important; }
  .card .track { background-color: #39424d !important; }
  .card .notice { background-color: #3d3315 !important; }
}
</style>
</head>
<body class="page" style="margin:0;padding:0;background-color:#f2f4f7;">
<table role="presentation" class="page" width="100%" cellpadding="0" cellspacing="0" border="0" bgcolor="#f2f4f7"><tr><td align="center" style="padding:16px 8px;">
<!--[if mso]><table role="presentation" width="640" cellpadding="0" cellspacing="0" border="0"><tr><td><![endif]-->
<table role="presentation" class="card" width="100%" cellpadding="0" cellspacing="0" border="0" bgcolor="#ffffff" style="max-width:640px;border-radius:6px;text-align:left;">
<tr><td style="padding:24px 24px 4px;">
<div class="quiet" style="font:12px/17px Arial,sans-serif;color:#667;">Our team</div>
<h1 style="margin:2px 0 0;font:bold 22px/30px Arial,sans-serif;color:#222;">
Ratings on Saturday, 28 November 2026
</h1>
</td></tr>
<tr><td style="padding:16px 24px 12px;font:15px/22px Arial,sans-serif;color:#222;">No ratings arrived.</td></tr>
<tr><td style="padding:26px 24px 8px;"><h3 style="margin:0;font:bold 15px/20px Arial,sans-serif;color:#222;">Messages</h3></td></tr>

<tr><td style="padding:0 24px;"><table width="100%" cellpadding="0" cellspacing="0" border="0">
<tr><th scope="col" class="quiet" align="left" style="padding:6px 8px 6px 0;font:12px/17px Arial,sans-serif;color:#667;border-bottom:1px solid #ddd;">Date</th>
<th scope="col" class="quiet" align="right" style="padding:6px 0 6px 8px;font:12px/17px Arial,sans-serif;color:#667;border-bottom:1px solid #ddd;">Sent</th>
<th scope="col" class="quiet" align="right" style="padding:6px 0 6px 8px;font:12px/17px Arial,sans-serif;color:#667;border-bottom:1px solid #ddd;">Given up</th>
</tr>
<tr><td align="left" style="padding:6px 8px 6px 0;word-break:break-word;font:13px/18px Arial,sans-serif;color:#222;border-bottom:1px solid #ddd;">2026-11-28</td>
<td align="right" style="padding:6px 0 6px 8px;font:13px/18px Arial,sans-serif;color:#222;border-bottom:1px solid #ddd;">0</td>
<td align="right" style="padding:6px 0 6px 8px;font:13px/18px Arial,sans-serif;color:#222;border-bottom:1px solid #ddd;">0</td>
</tr>
</table></td></tr>
<tr><td style="padding:26px 24px 8px;"><h3 style="margin:0;font:bold 15px/20px Arial,sans-serif;color:#222;">Right now</h3></td></tr>

<tr><td style="padding:0 24px;"><table width="100%" cellpadding="0" cellspacing="0" border="0">
<tr><td align="left" style="padding:6px 8px 6px 0;word-break:break-word;font:13px/18px Arial,sans-serif;color:#222;border-bottom:1px solid #ddd;">Low ratings open, the oldest since 2026-11-29 18:45</td>
<td align="right" style="padding:6px 0 6px 8px;font:13px/18px Arial,sans-serif;color:#222;border-bottom:1px solid #ddd;">1</td>
</tr>
<tr><td align="left" style="padding:6px 8px 6px 0;word-break:break-word;font:13px/18px Arial,sans-serif;color:#222;border-bottom:1px solid #ddd;">Messages queued, the oldest since 2026-11-29 18:45</td>
<td align="right" style="padding:6px 0 6px 8px;font:13px/18px Arial,sans-serif;color:#222;border-bottom:1px solid #ddd;">1</td>
</tr>
<tr><td align="left" style="padding:6px 8px 6px 0;word-break:break-word;font:13px/18px Arial,sans-serif;color:#222;border-bottom:1px solid #ddd;">Messages held until someone decides</td>
<td align="right" style="padding:6px 0 6px 8px;font:13px/18px Arial,sans-serif;color:#222;border-bottom:1px solid #ddd;">1</td>
</tr>
<tr><td align="left" style="padding:6px 8px 6px 0;word-break:break-word;font:13px/18px Arial,sans-serif;color:#222;border-bottom:1px solid #ddd;">Messages given up (dead)</td>
<td align="right" style="padding:6px 0 6px 8px;font:13px/18px Arial,sans-serif;color:#222;border-bottom:1px solid #ddd;">1</td>
</tr>
</table></td></tr>
<tr><td class="quiet" style="padding:24px;font:12px/17px Arial,sans-serif;color:#667;">Read at 2026-11-29 18:45. Days and times are those of UTC. The mean of the 7 days before is taken over those that had ratings. Items are ordered by an average that leans towards the day&rsquo;s as long as an item has few ratings.</td></tr>
</table>
<!--[if mso]></td></tr></table><![endif]-->
</td></tr></table>
</body>
</html>
', 'sent', 1, 1795977956688, 1795977956688, NULL, NULL, NULL, NULL, 1795977956980, 'chat', 'p-report.d', NULL);
INSERT INTO public.message VALUES (8, 'thanks.12.eecc091d2c8e', 'thanks:12', 'thanks', 12, 'ada', 'Ada', 'chat', 'ada', 'de-AT', 'Thank you for your 4-star rating of tea', 'Hello Ada,

thank you for rating tea with 4 of 5 stars. It helps us, and it helps
others to choose well.

You wrote:

    from the feed

We read every word.

Our team
', '', 'sent', 1, 1795977958849, 1795977958849, NULL, NULL, NULL, NULL, 1795977958862, 'chat', 'p-thanks.1', NULL);


--
-- Data for Name: meta; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.meta VALUES ('ledger_id', 'eecc091d2c8e');
INSERT INTO public.meta VALUES ('readable_from', '0002:0001');
INSERT INTO public.meta VALUES ('report_first_date:daily', '2026-11-29');
INSERT INTO public.meta VALUES ('commit:843530142b4eb5f1', '2');
INSERT INTO public.meta VALUES ('commit:4173bf5bfa76683a', '2');
INSERT INTO public.meta VALUES ('commit:7547d30a3ee5be2f', '3');
INSERT INTO public.meta VALUES ('commit:3ebb6d61cbaa4eb2', '1');
INSERT INTO public.meta VALUES ('commit:93564d336ffb52c8', '3');
INSERT INTO public.meta VALUES ('commit:bede4c4af60565d3', '1');
INSERT INTO public.meta VALUES ('commit:d70e4ca249058a28', '3');
INSERT INTO public.meta VALUES ('commit:25a83c0c1299da9e', '1');
INSERT INTO public.meta VALUES ('commit:53c093d0c723314f', '3');
INSERT INTO public.meta VALUES ('commit:eafcf10a38a5fd71', '1');
INSERT INTO public.meta VALUES ('commit:de16be690576d78f', '6');
INSERT INTO public.meta VALUES ('commit:52db68710b8d0242', '7');


--
-- Data for Name: rate; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.rate VALUES ('chat', 1795978032217);


--
-- Data for Name: report_run; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.report_run VALUES (1, 'daily', '2026-11-28', 'UTC', 1795977956688, 'manual', '{"date": "2026-11-28", "timezone": "UTC", "start": "2026-11-28T00:00:00+00:00", "end": "2026-11-29T00:00:00+00:00", "read_at": "2026-11-29T18:45:56+00:00", "ratings": 0, "average": null, "stars": [{"rating": 5.0, "count": 0, "share": 0.0}, {"rating": 4.0, "count": 0, "share": 0.0}, {"rating": 3.0, "count": 0, "share": 0.0}, {"rating": 2.0, "count": 0, "share": 0.0}, {"rating": 1.0, "count": 0, "share": 0.0}], "low_below": 3.0, "low": 0, "low_share": null, "day_before": null, "week_before": null, "lowest_items": [], "low_comments": [], "ended": {}, "history": 0, "open_low": {"count": 1, "oldest_since": "2026-11-29T18:45:49+00:00"}, "deliveries": {"sent": 0, "suppressed": 0, "died": 0, "queued": 1, "sending": 0, "held": 1, "dead": 1, "oldest_waiting_since": "2026-11-29T18:45:49+00:00"}, "complete": true}');


--
-- Data for Name: source; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.source VALUES ('feed', '2', NULL, 2, 1795977958827);


--
-- Data for Name: tries_by_minute; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.tries_by_minute VALUES ('chat', 29932965, 8);


--
-- Name: dead_letter_id_seq; Type: SEQUENCE SET; Schema: public; Owner: -
--

SELECT pg_catalog.setval('public.dead_letter_id_seq', 1, true);


--
-- Name: delivery_attempt_id_seq; Type: SEQUENCE SET; Schema: public; Owner: -
--

SELECT pg_catalog.setval('public.delivery_attempt_id_seq', 8, true);


--
-- Name: feedback_id_seq; Type: SEQUENCE SET; Schema: public; Owner: -
--

SELECT pg_catalog.setval('public.feedback_id_seq', 15, true);


--
-- Name: low_rating_id_seq; Type: SEQUENCE SET; Schema: public; Owner: -
--

SELECT pg_catalog.setval('public.low_rating_id_seq', 3, true);


--
-- Name: message_id_seq; Type: SEQUENCE SET; Schema: public; Owner: -
--

SELECT pg_catalog.setval('public.message_id_seq', 9, true);


--
-- Name: report_run_id_seq; Type: SEQUENCE SET; Schema: public; Owner: -
--

SELECT pg_catalog.setval('public.report_run_id_seq', 1, true);


--
-- Name: alembic_version alembic_version_pkc; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.alembic_version
    ADD CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num);


--
-- Name: customer pk_customer; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.customer
    ADD CONSTRAINT pk_customer PRIMARY KEY (id);


--
-- Name: daemon pk_daemon; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.daemon
    ADD CONSTRAINT pk_daemon PRIMARY KEY (boot_id);


--
-- Name: dead_letter pk_dead_letter; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.dead_letter
    ADD CONSTRAINT pk_dead_letter PRIMARY KEY (id);


--
-- Name: delivery_attempt pk_delivery_attempt; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.delivery_attempt
    ADD CONSTRAINT pk_delivery_attempt PRIMARY KEY (id);


--
-- Name: feedback pk_feedback; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.feedback
    ADD CONSTRAINT pk_feedback PRIMARY KEY (id);


--
-- Name: low_rating pk_low_rating; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.low_rating
    ADD CONSTRAINT pk_low_rating PRIMARY KEY (id);


--
-- Name: message pk_message; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.message
    ADD CONSTRAINT pk_message PRIMARY KEY (id);


--
-- Name: meta pk_meta; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.meta
    ADD CONSTRAINT pk_meta PRIMARY KEY (key);


--
-- Name: rate pk_rate; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.rate
    ADD CONSTRAINT pk_rate PRIMARY KEY (provider);


--
-- Name: report_run pk_report_run; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.report_run
    ADD CONSTRAINT pk_report_run PRIMARY KEY (id);


--
-- Name: source pk_source; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.source
    ADD CONSTRAINT pk_source PRIMARY KEY (name);


--
-- Name: tries_by_minute pk_tries_by_minute; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.tries_by_minute
    ADD CONSTRAINT pk_tries_by_minute PRIMARY KEY (provider, minute);


--
-- Name: dead_letter uq_dead_letter_source_key; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.dead_letter
    ADD CONSTRAINT uq_dead_letter_source_key UNIQUE (source, key);


--
-- Name: feedback uq_feedback_source_external_id; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.feedback
    ADD CONSTRAINT uq_feedback_source_external_id UNIQUE (source, external_id);


--
-- Name: low_rating uq_low_rating_feedback_id; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.low_rating
    ADD CONSTRAINT uq_low_rating_feedback_id UNIQUE (feedback_id);


--
-- Name: message uq_message_dedupe_key; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.message
    ADD CONSTRAINT uq_message_dedupe_key UNIQUE (dedupe_key);


--
-- Name: report_run uq_report_run_name_local_date; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.report_run
    ADD CONSTRAINT uq_report_run_name_local_date UNIQUE (name, local_date);


--
-- Name: ix_delivery_attempt_message_number; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX ix_delivery_attempt_message_number ON public.delivery_attempt USING btree (message_number);


--
-- Name: ix_feedback_arrival; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX ix_feedback_arrival ON public.feedback USING btree (received_at, rating);


--
-- Name: ix_feedback_dead; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX ix_feedback_dead ON public.feedback USING btree (id) WHERE (state = 'dead'::text);


--
-- Name: ix_feedback_pending; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX ix_feedback_pending ON public.feedback USING btree (((id + 0))) WHERE (state = 'received'::text);


--
-- Name: ix_feedback_retry; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX ix_feedback_retry ON public.feedback USING btree (retry_at) WHERE ((state = 'received'::text) AND (retry_at IS NOT NULL));


--
-- Name: ix_low_rating_unresolved; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX ix_low_rating_unresolved ON public.low_rating USING btree (state) WHERE (state <> 'resolved'::text);


--
-- Name: ix_message_due; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX ix_message_due ON public.message USING btree (channel, next_attempt_at) WHERE (state = 'queued'::text);


--
-- Name: ix_message_feedback_id; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX ix_message_feedback_id ON public.message USING btree (feedback_id);


--
-- Name: ix_message_settled; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX ix_message_settled ON public.message USING btree (state, settled_at) WHERE (settled_at IS NOT NULL);


--
-- Name: ix_message_stuck; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX ix_message_stuck ON public.message USING btree (state) WHERE (state = ANY (ARRAY['sending'::text, 'held'::text, 'suppressed'::text, 'dead'::text]));


--
-- PostgreSQL database dump complete
--

\unrestrict fixture

