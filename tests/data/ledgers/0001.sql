PRAGMA application_id = 1178747216;
BEGIN TRANSACTION;
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('0001');
CREATE TABLE customer (
	id TEXT NOT NULL, 
	name TEXT, 
	email TEXT, 
	phone TEXT, 
	preferred_channels TEXT DEFAULT '' NOT NULL, 
	addresses TEXT, 
	locale TEXT, 
	timezone TEXT, 
	opted_out_at BIGINT, 
	created_at BIGINT NOT NULL, 
	updated_at BIGINT NOT NULL, 
	CONSTRAINT pk_customer PRIMARY KEY (id)
);
INSERT INTO "customer" VALUES('ada','Ada',NULL,NULL,'chat',NULL,'de-AT',NULL,NULL,1795977618839,1795977618839);
INSERT INTO "customer" VALUES('bob','Bob',NULL,NULL,'chat',NULL,'de-AT',NULL,NULL,1795977623518,1795977623518);
INSERT INTO "customer" VALUES('later1','Later1',NULL,NULL,'chat',NULL,'de-AT',NULL,NULL,1795977627583,1795977627583);
INSERT INTO "customer" VALUES('later2','Later2',NULL,NULL,'chat',NULL,'de-AT',NULL,1795977666674,1795977629027,1795977629027);
INSERT INTO "customer" VALUES('never','Never',NULL,NULL,'chat',NULL,'de-AT',NULL,NULL,1795977630443,1795977630443);
INSERT INTO "customer" VALUES('unknown','Unknown',NULL,NULL,'chat',NULL,'de-AT',NULL,NULL,1795977631828,1795977631828);
INSERT INTO "customer" VALUES('crash','Crash',NULL,NULL,'chat',NULL,'de-AT',NULL,NULL,1795977634153,1795977634153);
INSERT INTO "customer" VALUES('killer',NULL,NULL,NULL,'',NULL,NULL,NULL,NULL,1795977676965,1795977676965);
CREATE TABLE daemon (
	boot_id TEXT NOT NULL, 
	host TEXT NOT NULL, 
	pid INTEGER NOT NULL, 
	started_at BIGINT NOT NULL, 
	heartbeat_at BIGINT NOT NULL, 
	stopped_at BIGINT, 
	channels TEXT DEFAULT '{}' NOT NULL, 
	CONSTRAINT pk_daemon PRIMARY KEY (boot_id)
);
INSERT INTO "daemon" VALUES('a76a765a6870ca35','host',2480,1795977657092,1795977657354,1795977657354,'{}');
INSERT INTO "daemon" VALUES('161087c42097f5ec','host',3080,1795977672837,1795977673090,1795977673090,'{}');
INSERT INTO "daemon" VALUES('cb6428fe9bc91452','host',3244,1795977680136,1795977680136,NULL,'{}');
INSERT INTO "daemon" VALUES('002950b28725a41c','host',3322,1795977682048,1795977682048,NULL,'{}');
INSERT INTO "daemon" VALUES('ac77f5c8ff2072ce','host',3364,1795977684753,1795977684753,NULL,'{}');
INSERT INTO "daemon" VALUES('47fa971e819708cf','host',3423,1795977688283,1795977688283,NULL,'{}');
INSERT INTO "daemon" VALUES('83087f34f0c4c314','host',3461,1795977691210,1795977691534,1795977691534,'{}');
INSERT INTO "daemon" VALUES('0765cc4417574c0d','host',3501,1795977695415,1795977695619,1795977695619,'{}');
INSERT INTO "daemon" VALUES('5f50405938640366','host',3565,1795977697529,1795977697694,1795977697694,'{}');
INSERT INTO "daemon" VALUES('05ae3657ce88b775','host',3595,1795977699065,1795977699189,1795977699189,'{}');
INSERT INTO "daemon" VALUES('18c7cc57c6f60b7b','host',3695,1795977702619,1795977702619,NULL,'{}');
CREATE TABLE delivery_attempt (
	id INTEGER NOT NULL, 
	message_number INTEGER NOT NULL, 
	started_at BIGINT NOT NULL, 
	ended_at BIGINT NOT NULL, 
	provider TEXT NOT NULL, 
	outcome TEXT NOT NULL, 
	provider_id TEXT, 
	error TEXT, 
	CONSTRAINT pk_delivery_attempt PRIMARY KEY (id), 
	CONSTRAINT fk_delivery_attempt_message_number FOREIGN KEY(message_number) REFERENCES message (id)
);
INSERT INTO "delivery_attempt" VALUES(1,1,1795977657343,1795977657343,'chat','sent','p-thanks.1',NULL);
INSERT INTO "delivery_attempt" VALUES(2,2,1795977657343,1795977657344,'chat','sent','p-thanks.2',NULL);
INSERT INTO "delivery_attempt" VALUES(3,3,1795977657343,1795977657344,'chat','temporary',NULL,'come back later');
INSERT INTO "delivery_attempt" VALUES(4,4,1795977657343,1795977657344,'chat','temporary',NULL,'come back later');
INSERT INTO "delivery_attempt" VALUES(5,5,1795977657343,1795977657344,'chat','permanent',NULL,'nobody lives here');
INSERT INTO "delivery_attempt" VALUES(6,6,1795977657343,1795977657346,'chat','unknown',NULL,'who knows');
INSERT INTO "delivery_attempt" VALUES(7,7,1795977675121,1795977675121,'chat','sent','p-report.d',NULL);
CREATE TABLE feedback (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	source TEXT NOT NULL, 
	external_id TEXT NOT NULL, 
	content_hash BLOB NOT NULL, 
	customer_id TEXT, 
	item TEXT, 
	rating FLOAT NOT NULL, 
	comment TEXT NOT NULL, 
	given_at BIGINT, 
	received_at BIGINT NOT NULL, 
	thank BOOLEAN NOT NULL, 
	state TEXT NOT NULL, 
	ended TEXT, 
	analysis TEXT, 
	processed_at BIGINT, 
	attempts INTEGER DEFAULT '0' NOT NULL, 
	retry_at BIGINT, 
	error TEXT, 
	CONSTRAINT uq_feedback_source_external_id UNIQUE (source, external_id)
);
INSERT INTO "feedback" VALUES(1,'cli','r0',X'C7E591EF907FCC2873D669FE','ada','tea',5.0,'lovely tea indeed',NULL,1795977634947,1,'processed','thanked','{"tags": {"of": ["lovely", "tea", "indeed"], "long": false}}',1795977657337,0,NULL,NULL);
INSERT INTO "feedback" VALUES(2,'cli','r1',X'38E3208AD5AC8B602AFC3DB9','bob','tea',4.0,'',NULL,1795977636355,1,'processed','thanked','{"tags": {"of": [], "long": false}}',1795977657337,0,NULL,NULL);
INSERT INTO "feedback" VALUES(3,'cli','r2',X'AB11A5708D982D916DE8B980','ada','mug',1.0,'broken on arrival, sadly',NULL,1795977639202,1,'processed','low','{"tags": {"of": ["broken", "on", "arrival,"], "long": true}}',1795977657337,0,NULL,NULL);
INSERT INTO "feedback" VALUES(4,'cli','r3',X'70E033759E290B04C9851BC8','bob','mug',2.0,'late',NULL,1795977641226,1,'processed','low','{"tags": {"of": ["late"], "long": false}}',1795977657337,0,NULL,NULL);
INSERT INTO "feedback" VALUES(5,'cli','r4',X'7F2BDCAFC443EAF0F4C923CE','ada','käse',1.0,'späte Lieferung',NULL,1795977642843,1,'processed','low','{"tags": {"of": ["sp\u00e4te", "Lieferung"], "long": false}}',1795977657337,0,NULL,NULL);
INSERT INTO "feedback" VALUES(6,'cli','r5',X'F8AFD3AD56FA172E30140AA4','later1','tea',5.0,'fine',NULL,1795977644041,1,'processed','thanked','{"tags": {"of": ["fine"], "long": false}}',1795977657337,0,NULL,NULL);
INSERT INTO "feedback" VALUES(7,'cli','r6',X'62703488D705FD2247775547','later2','tea',5.0,'fine too',NULL,1795977645391,1,'processed','thanked','{"tags": {"of": ["fine", "too"], "long": false}}',1795977657337,0,NULL,NULL);
INSERT INTO "feedback" VALUES(8,'cli','r7',X'F8BCF49FF6E2184A8058A4F0','never','hat',4.0,'',NULL,1795977646968,1,'processed','thanked','{"tags": {"of": [], "long": false}}',1795977657337,0,NULL,NULL);
INSERT INTO "feedback" VALUES(9,'cli','r8',X'8DE57303C73664ACCE3E57B7','unknown','hat',3.0,'so so',NULL,1795977648508,1,'processed','thanked','{"tags": {"of": ["so", "so"], "long": false}}',1795977657337,0,NULL,NULL);
INSERT INTO "feedback" VALUES(10,'cli','r9',X'325FBACEE9B5476815EE6AAA',NULL,NULL,5.0,'anon',NULL,1795977650142,1,'processed','no_customer','{"tags": {"of": ["anon"], "long": false}}',1795977657337,0,NULL,NULL);
INSERT INTO "feedback" VALUES(11,'cli','r10',X'74E72AF1B5BD59221F644983','stranger','tea',4.0,'who am I',NULL,1795977652734,1,'processed','unknown_customer','{"tags": {"of": ["who", "am", "I"], "long": false}}',1795977657337,0,NULL,NULL);
INSERT INTO "feedback" VALUES(12,'cli','r50',X'14630BA7FFEDD09E0973DD0F','killer','tea',5.0,'deadly',NULL,1795977678506,1,'dead',NULL,NULL,NULL,1,NULL,'the program ended 3 times while it worked on this rating alone');
INSERT INTO "feedback" VALUES(13,'cli','r51',X'BA35EE010A89F0B9DDC7BE35','crash','tea',5.0,'ends the program while it is sent',NULL,1795977700359,1,'processed','thanked','{"tags": {"of": ["ends", "the", "program"], "long": true}}',1795977702654,0,NULL,NULL);
INSERT INTO "feedback" VALUES(14,'cli','r52',X'4DF8D8A9A83E146479F301A2','bob','tea',3.0,'not processed yet',NULL,1795977703867,1,'received',NULL,NULL,NULL,0,NULL,NULL);
CREATE TABLE low_rating (
	id INTEGER NOT NULL, 
	feedback_id INTEGER NOT NULL, 
	state TEXT NOT NULL, 
	owner TEXT, 
	notes TEXT DEFAULT '[]' NOT NULL, 
	due_at BIGINT, 
	stored_at BIGINT NOT NULL, 
	acknowledged_at BIGINT, 
	resolved_at BIGINT, 
	CONSTRAINT pk_low_rating PRIMARY KEY (id), 
	CONSTRAINT fk_low_rating_feedback_id FOREIGN KEY(feedback_id) REFERENCES feedback (id), 
	CONSTRAINT uq_low_rating_feedback_id UNIQUE (feedback_id)
);
INSERT INTO "low_rating" VALUES(1,3,'acknowledged',NULL,'[{"at": 1795977662240, "by": "root", "text": "rang them up"}]',NULL,1795977657337,1795977660220,NULL);
INSERT INTO "low_rating" VALUES(2,4,'resolved',NULL,'[]',NULL,1795977657337,NULL,1795977664326);
INSERT INTO "low_rating" VALUES(3,5,'open',NULL,'[]',NULL,1795977657337,NULL,NULL);
CREATE TABLE message (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	message_id TEXT NOT NULL, 
	dedupe_key TEXT NOT NULL, 
	purpose TEXT NOT NULL, 
	feedback_id INTEGER, 
	customer_id TEXT, 
	customer_name TEXT, 
	channel TEXT NOT NULL, 
	recipient TEXT NOT NULL, 
	locale TEXT, 
	subject TEXT NOT NULL, 
	text TEXT NOT NULL, 
	html TEXT NOT NULL, 
	state TEXT NOT NULL, 
	attempts INTEGER DEFAULT '0' NOT NULL, 
	created_at BIGINT NOT NULL, 
	next_attempt_at BIGINT NOT NULL, 
	lease_owner TEXT, 
	lease_until BIGINT, 
	may_leave_at BIGINT, 
	maybe_sent_at BIGINT, 
	settled_at BIGINT, 
	provider TEXT, 
	provider_id TEXT, 
	error TEXT, 
	CONSTRAINT fk_message_feedback_id FOREIGN KEY(feedback_id) REFERENCES feedback (id), 
	CONSTRAINT uq_message_dedupe_key UNIQUE (dedupe_key)
);
INSERT INTO "message" VALUES(1,'thanks.1.d851fc3c31be','thanks:1','thanks',1,'ada','Ada','chat','ada','de-AT','Thank you for your 5-star rating of tea','Hello Ada,

thank you for rating tea with 5 of 5 stars. It helps us, and it helps
others to choose well.

You wrote:

    lovely tea indeed

We read every word.

Our team
','','sent',1,1795977657337,1795977657337,NULL,NULL,NULL,NULL,1795977657343,'chat','p-thanks.1',NULL);
INSERT INTO "message" VALUES(2,'thanks.2.d851fc3c31be','thanks:2','thanks',2,'bob','Bob','chat','bob','de-AT','Thank you for your 4-star rating of tea','Hello Bob,

thank you for rating tea with 4 of 5 stars. It helps us, and it helps
others to choose well.

Our team
','','sent',1,1795977657337,1795977657337,NULL,NULL,NULL,NULL,1795977657344,'chat','p-thanks.2',NULL);
INSERT INTO "message" VALUES(3,'thanks.6.d851fc3c31be','thanks:6','thanks',6,'later1','Later1','chat','later1','de-AT','Thank you for your 5-star rating of tea','Hello Later1,

thank you for rating tea with 5 of 5 stars. It helps us, and it helps
others to choose well.

You wrote:

    fine

We read every word.

Our team
','','queued',1,1795977657337,1797905474229,NULL,NULL,NULL,NULL,NULL,'chat',NULL,'come back later');
INSERT INTO "message" VALUES(4,'thanks.7.d851fc3c31be','thanks:7','thanks',7,'later2','Later2','chat','later2','de-AT','Thank you for your 5-star rating of tea','Hello Later2,

thank you for rating tea with 5 of 5 stars. It helps us, and it helps
others to choose well.

You wrote:

    fine too

We read every word.

Our team
','','suppressed',0,1795977657337,1795977669563,NULL,NULL,NULL,NULL,1795977672864,'chat',NULL,'the customer opted out');
INSERT INTO "message" VALUES(5,'thanks.8.d851fc3c31be','thanks:8','thanks',8,'never','Never','chat','never','de-AT','Thank you for your 4-star rating of hat','Hello Never,

thank you for rating hat with 4 of 5 stars. It helps us, and it helps
others to choose well.

Our team
','','dead',1,1795977657337,1795977657344,NULL,NULL,NULL,NULL,1795977657344,'chat',NULL,'nobody lives here');
INSERT INTO "message" VALUES(6,'thanks.9.d851fc3c31be','thanks:9','thanks',9,'unknown','Unknown','chat','unknown','de-AT','Thank you for your 3-star rating of hat','Hello Unknown,

thank you for rating hat with 3 of 5 stars. It helps us, and it helps
others to choose well.

You wrote:

    so so

We read every word.

Our team
','','held',1,1795977657337,1795977657346,NULL,NULL,NULL,1795977657346,NULL,'chat',NULL,'who knows');
INSERT INTO "message" VALUES(7,'report.daily.2026-11-28.270130f9.d851fc3c31be','report:daily:2026-11-28:team','report',NULL,NULL,NULL,'chat','team',NULL,'Ratings on 2026-11-28: no ratings','Our team
Ratings on Saturday, 28 November 2026

No ratings arrived.
  The day before: no ratings
  Mean of the 7 days before: no ratings

Messages
  2026-11-28: 0 sent, 0 given up

Right now (2026-11-29 18:41)
  Low ratings open: 1, the oldest since 2026-11-29 18:40
  Messages queued: 1, the oldest since 2026-11-29 18:40
  Messages held until someone decides: 1
  Messages given up (dead): 1

Days and times are those of UTC. In brackets: the change. The mean is
taken over those of the 7 days that had ratings. Items are ordered by an average
that leans towards the day''s as long as an item has few ratings.
','<!DOCTYPE html>
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
<tr><td align="left" style="padding:6px 8px 6px 0;word-break:break-word;font:13px/18px Arial,sans-serif;color:#222;border-bottom:1px solid #ddd;">Low ratings open, the oldest since 2026-11-29 18:40</td>
<td align="right" style="padding:6px 0 6px 8px;font:13px/18px Arial,sans-serif;color:#222;border-bottom:1px solid #ddd;">1</td>
</tr>
<tr><td align="left" style="padding:6px 8px 6px 0;word-break:break-word;font:13px/18px Arial,sans-serif;color:#222;border-bottom:1px solid #ddd;">Messages queued, the oldest since 2026-11-29 18:40</td>
<td align="right" style="padding:6px 0 6px 8px;font:13px/18px Arial,sans-serif;color:#222;border-bottom:1px solid #ddd;">1</td>
</tr>
<tr><td align="left" style="padding:6px 8px 6px 0;word-break:break-word;font:13px/18px Arial,sans-serif;color:#222;border-bottom:1px solid #ddd;">Messages held until someone decides</td>
<td align="right" style="padding:6px 0 6px 8px;font:13px/18px Arial,sans-serif;color:#222;border-bottom:1px solid #ddd;">1</td>
</tr>
<tr><td align="left" style="padding:6px 8px 6px 0;word-break:break-word;font:13px/18px Arial,sans-serif;color:#222;border-bottom:1px solid #ddd;">Messages given up (dead)</td>
<td align="right" style="padding:6px 0 6px 8px;font:13px/18px Arial,sans-serif;color:#222;border-bottom:1px solid #ddd;">1</td>
</tr>
</table></td></tr>
<tr><td class="quiet" style="padding:24px;font:12px/17px Arial,sans-serif;color:#667;">Read at 2026-11-29 18:41. Days and times are those of UTC. The mean of the 7 days before is taken over those that had ratings. Items are ordered by an average that leans towards the day&rsquo;s as long as an item has few ratings.</td></tr>
</table>
<!--[if mso]></td></tr></table><![endif]-->
</td></tr></table>
</body>
</html>
','sent',1,1795977674732,1795977674732,NULL,NULL,NULL,NULL,1795977675121,'chat','p-report.d',NULL);
INSERT INTO "message" VALUES(8,'thanks.13.d851fc3c31be','thanks:13','thanks',13,'crash','Crash','chat','crash','de-AT','Thank you for your 5-star rating of tea','Hello Crash,

thank you for rating tea with 5 of 5 stars. It helps us, and it helps
others to choose well.

You wrote:

    ends the program while it is sent

We read every word.

Our team
','','sending',0,1795977702654,1795977702654,'18c7cc57c6f60b7b',1795977732813,1795977702814,NULL,NULL,NULL,NULL,NULL);
CREATE TABLE meta (
	"key" TEXT NOT NULL, 
	value TEXT NOT NULL, 
	CONSTRAINT pk_meta PRIMARY KEY ("key")
);
INSERT INTO "meta" VALUES('ledger_id','d851fc3c31be');
INSERT INTO "meta" VALUES('report_first_date:daily','2026-11-29');
CREATE TABLE report_run (
	id INTEGER NOT NULL, 
	name TEXT NOT NULL, 
	local_date TEXT NOT NULL, 
	timezone TEXT NOT NULL, 
	made_at BIGINT NOT NULL, 
	occasion TEXT NOT NULL, 
	figures TEXT NOT NULL, 
	CONSTRAINT pk_report_run PRIMARY KEY (id), 
	CONSTRAINT uq_report_run_name_local_date UNIQUE (name, local_date)
);
INSERT INTO "report_run" VALUES(1,'daily','2026-11-28','UTC',1795977674732,'manual','{"date": "2026-11-28", "timezone": "UTC", "start": "2026-11-28T00:00:00+00:00", "end": "2026-11-29T00:00:00+00:00", "read_at": "2026-11-29T18:41:14+00:00", "ratings": 0, "average": null, "stars": [{"rating": 5.0, "count": 0, "share": 0.0}, {"rating": 4.0, "count": 0, "share": 0.0}, {"rating": 3.0, "count": 0, "share": 0.0}, {"rating": 2.0, "count": 0, "share": 0.0}, {"rating": 1.0, "count": 0, "share": 0.0}], "low_below": 3.0, "low": 0, "low_share": null, "day_before": null, "week_before": null, "lowest_items": [], "low_comments": [], "ended": {}, "history": 0, "open_low": {"count": 1, "oldest_since": "2026-11-29T18:40:57+00:00"}, "deliveries": {"sent": 0, "suppressed": 0, "died": 0, "queued": 1, "sending": 0, "held": 1, "dead": 1, "oldest_waiting_since": "2026-11-29T18:40:57+00:00"}, "complete": true}');
CREATE INDEX ix_feedback_pending ON feedback (id) WHERE state = 'received';
CREATE INDEX ix_feedback_retry ON feedback (retry_at) WHERE state = 'received' AND retry_at IS NOT NULL;
CREATE INDEX ix_feedback_dead ON feedback (id) WHERE state = 'dead';
CREATE INDEX ix_feedback_arrival ON feedback (received_at, rating);
CREATE INDEX ix_low_rating_unresolved ON low_rating (state) WHERE state <> 'resolved';
CREATE INDEX ix_message_due ON message (channel, next_attempt_at) WHERE state = 'queued';
CREATE INDEX ix_message_stuck ON message (state) WHERE state IN ('sending', 'held', 'suppressed', 'dead');
CREATE INDEX ix_message_settled ON message (state, settled_at) WHERE settled_at IS NOT NULL;
CREATE INDEX ix_message_feedback_id ON message (feedback_id);
CREATE INDEX ix_delivery_attempt_message_number ON delivery_attempt (message_number);
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('feedback',14);
INSERT INTO "sqlite_sequence" VALUES('message',8);
COMMIT;
