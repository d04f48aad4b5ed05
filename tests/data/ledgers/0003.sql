PRAGMA application_id = 1178747216;
BEGIN TRANSACTION;
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('0003');
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
INSERT INTO "customer" VALUES('ada','Ada',NULL,NULL,'chat',NULL,'de-AT',NULL,NULL,1795977831613,1795977831613);
INSERT INTO "customer" VALUES('bob','Bob',NULL,NULL,'chat',NULL,'de-AT',NULL,NULL,1795977832361,1795977832361);
INSERT INTO "customer" VALUES('later1','Later1',NULL,NULL,'chat',NULL,'de-AT',NULL,NULL,1795977832999,1795977832999);
INSERT INTO "customer" VALUES('later2','Later2',NULL,NULL,'chat',NULL,'de-AT',NULL,1795977850591,1795977833709,1795977833709);
INSERT INTO "customer" VALUES('never','Never',NULL,NULL,'chat',NULL,'de-AT',NULL,NULL,1795977834873,1795977834873);
INSERT INTO "customer" VALUES('unknown','Unknown',NULL,NULL,'chat',NULL,'de-AT',NULL,NULL,1795977835938,1795977835938);
INSERT INTO "customer" VALUES('crash','Crash',NULL,NULL,'chat',NULL,'de-AT',NULL,NULL,1795977836793,1795977836793);
INSERT INTO "customer" VALUES('killer',NULL,NULL,NULL,'',NULL,NULL,NULL,NULL,1795977918421,1795977918421);
CREATE TABLE daemon (
	boot_id TEXT NOT NULL, 
	host TEXT NOT NULL, 
	pid INTEGER NOT NULL, 
	started_at BIGINT NOT NULL, 
	heartbeat_at BIGINT NOT NULL, 
	stopped_at BIGINT, 
	channels TEXT DEFAULT '{}' NOT NULL, sources TEXT DEFAULT '{}' NOT NULL, process TEXT, fenced_at BIGINT, 
	CONSTRAINT pk_daemon PRIMARY KEY (boot_id)
);
INSERT INTO "daemon" VALUES('3fa5b523468dc1ce','host',18232,1795977846286,1795977846389,1795977846389,'{}','{}',NULL,NULL);
INSERT INTO "daemon" VALUES('f1c29ef98828906b','host',19292,1795977853904,1795977854035,1795977854035,'{}','{}',NULL,NULL);
INSERT INTO "daemon" VALUES('458af52f752a19bf','host',19851,1795977857610,1795977917775,1795977917775,'{}','{"feed": {"state": "running", "reason": null, "down_since": null, "lag": null, "conflicts": 0}}',NULL,NULL);
INSERT INTO "daemon" VALUES('da4a087f8db71b3a','host',24167,1795977920269,1795977920269,NULL,'{}','{}',NULL,NULL);
INSERT INTO "daemon" VALUES('01e2179f576634c5','host',24241,1795977921096,1795977921096,NULL,'{}','{}',NULL,NULL);
INSERT INTO "daemon" VALUES('8e6738d1f59bd6ce','host',24338,1795977921764,1795977921764,NULL,'{}','{}',NULL,NULL);
INSERT INTO "daemon" VALUES('4c9fba1152fdce9e','host',24380,1795977922476,1795977922476,NULL,'{}','{}',NULL,NULL);
INSERT INTO "daemon" VALUES('dd62d0b8d96fd206','host',24481,1795977923356,1795977923435,1795977923435,'{}','{}',NULL,NULL);
INSERT INTO "daemon" VALUES('fb033e7d7e24ed2e','host',24608,1795977924044,1795977924101,1795977924101,'{}','{}',NULL,NULL);
INSERT INTO "daemon" VALUES('2d8375cc84a43da8','host',24658,1795977924812,1795977925009,1795977925009,'{}','{}',NULL,NULL);
INSERT INTO "daemon" VALUES('808867159c41b8bd','host',24746,1795977926200,1795977926386,1795977926386,'{}','{}',NULL,NULL);
INSERT INTO "daemon" VALUES('a77b10604e12ff2f','host',25030,1795977928284,1795977928284,NULL,'{}','{}',NULL,NULL);
CREATE TABLE dead_letter (
	id INTEGER NOT NULL, 
	source TEXT NOT NULL, 
	"key" BLOB NOT NULL, 
	external_id TEXT, 
	payload BLOB NOT NULL, 
	reason TEXT NOT NULL, 
	received_at BIGINT NOT NULL, 
	CONSTRAINT pk_dead_letter PRIMARY KEY (id), 
	CONSTRAINT uq_dead_letter_source_key UNIQUE (source, "key")
);
INSERT INTO "dead_letter" VALUES(1,'feed',X'B5FA524338A1ABBA06E0FAA9977F64C7','2',X'6E6F20726174696E6720617420616C6C','invalid JSON at column 1: expecting value',1795977857766);
CREATE TABLE delivery_attempt (
	id INTEGER NOT NULL, 
	message_number INTEGER NOT NULL, 
	started_at BIGINT NOT NULL, 
	ended_at BIGINT NOT NULL, 
	provider TEXT NOT NULL, 
	outcome TEXT NOT NULL, 
	provider_id TEXT, 
	error TEXT, detail TEXT, 
	CONSTRAINT pk_delivery_attempt PRIMARY KEY (id), 
	CONSTRAINT fk_delivery_attempt_message_number FOREIGN KEY(message_number) REFERENCES message (id)
);
INSERT INTO "delivery_attempt" VALUES(1,1,1795977846380,1795977846380,'chat','sent','p-thanks.1',NULL,'taken');
INSERT INTO "delivery_attempt" VALUES(2,2,1795977846380,1795977846380,'chat','sent','p-thanks.2',NULL,'taken');
INSERT INTO "delivery_attempt" VALUES(3,3,1795977846380,1795977846380,'chat','temporary',NULL,'come back later',NULL);
INSERT INTO "delivery_attempt" VALUES(4,4,1795977846380,1795977846380,'chat','temporary',NULL,'come back later',NULL);
INSERT INTO "delivery_attempt" VALUES(5,6,1795977846380,1795977846381,'chat','unknown',NULL,'who knows',NULL);
INSERT INTO "delivery_attempt" VALUES(6,5,1795977846380,1795977846380,'chat','permanent',NULL,'nobody lives here',NULL);
INSERT INTO "delivery_attempt" VALUES(7,7,1795977855226,1795977855226,'chat','sent','p-report.d',NULL,'taken');
INSERT INTO "delivery_attempt" VALUES(8,8,1795977857784,1795977857784,'chat','sent','p-thanks.1',NULL,'taken');
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
	error TEXT, lease_owner TEXT, suspicion INTEGER DEFAULT '0' NOT NULL, 
	CONSTRAINT uq_feedback_source_external_id UNIQUE (source, external_id)
);
INSERT INTO "feedback" VALUES(1,'cli','r0',X'C7E591EF907FCC2873D669FE','ada','tea',5.0,'lovely tea indeed',NULL,1795977837626,1,'processed','thanked','{"tags": {"of": ["lovely", "tea", "indeed"], "long": false}}',1795977846311,0,NULL,NULL,NULL,0);
INSERT INTO "feedback" VALUES(2,'cli','r1',X'38E3208AD5AC8B602AFC3DB9','bob','tea',4.0,'',NULL,1795977838337,1,'processed','thanked','{"tags": {"of": [], "long": false}}',1795977846311,0,NULL,NULL,NULL,0);
INSERT INTO "feedback" VALUES(3,'cli','r2',X'AB11A5708D982D916DE8B980','ada','mug',1.0,'broken on arrival, sadly',NULL,1795977839022,1,'processed','low','{"tags": {"of": ["broken", "on", "arrival,"], "long": true}}',1795977846311,0,NULL,NULL,NULL,0);
INSERT INTO "feedback" VALUES(4,'cli','r3',X'70E033759E290B04C9851BC8','bob','mug',2.0,'late',NULL,1795977839914,1,'processed','low','{"tags": {"of": ["late"], "long": false}}',1795977846311,0,NULL,NULL,NULL,0);
INSERT INTO "feedback" VALUES(5,'cli','r4',X'7F2BDCAFC443EAF0F4C923CE','ada','käse',1.0,'späte Lieferung',NULL,1795977840478,1,'processed','low','{"tags": {"of": ["sp\u00e4te", "Lieferung"], "long": false}}',1795977846311,0,NULL,NULL,NULL,0);
INSERT INTO "feedback" VALUES(6,'cli','r5',X'F8AFD3AD56FA172E30140AA4','later1','tea',5.0,'fine',NULL,1795977841038,1,'processed','thanked','{"tags": {"of": ["fine"], "long": false}}',1795977846311,0,NULL,NULL,NULL,0);
INSERT INTO "feedback" VALUES(7,'cli','r6',X'62703488D705FD2247775547','later2','tea',5.0,'fine too',NULL,1795977841826,1,'processed','thanked','{"tags": {"of": ["fine", "too"], "long": false}}',1795977846311,0,NULL,NULL,NULL,0);
INSERT INTO "feedback" VALUES(8,'cli','r7',X'F8BCF49FF6E2184A8058A4F0','never','hat',4.0,'',NULL,1795977842930,1,'processed','thanked','{"tags": {"of": [], "long": false}}',1795977846311,0,NULL,NULL,NULL,0);
INSERT INTO "feedback" VALUES(9,'cli','r8',X'8DE57303C73664ACCE3E57B7','unknown','hat',3.0,'so so',NULL,1795977844015,1,'processed','thanked','{"tags": {"of": ["so", "so"], "long": false}}',1795977846311,0,NULL,NULL,NULL,0);
INSERT INTO "feedback" VALUES(10,'cli','r9',X'325FBACEE9B5476815EE6AAA',NULL,NULL,5.0,'anon',NULL,1795977844570,1,'processed','no_customer','{"tags": {"of": ["anon"], "long": false}}',1795977846311,0,NULL,NULL,NULL,0);
INSERT INTO "feedback" VALUES(11,'cli','r10',X'74E72AF1B5BD59221F644983','stranger','tea',4.0,'who am I',NULL,1795977845221,1,'processed','unknown_customer','{"tags": {"of": ["who", "am", "I"], "long": false}}',1795977846311,0,NULL,NULL,NULL,0);
INSERT INTO "feedback" VALUES(12,'feed','f1',X'3CCEBE2DCE700B44A7E7C5EE','ada','tea',4.0,'from the feed',NULL,1795977857766,1,'processed','thanked','{"tags": {"of": ["from", "the", "feed"], "long": false}}',1795977857778,0,NULL,NULL,NULL,0);
INSERT INTO "feedback" VALUES(13,'cli','r50',X'14630BA7FFEDD09E0973DD0F','killer','tea',5.0,'deadly',NULL,1795977919041,1,'dead',NULL,NULL,NULL,1,NULL,'the program ended 3 times while it worked on this rating alone',NULL,0);
INSERT INTO "feedback" VALUES(14,'cli','r51',X'BA35EE010A89F0B9DDC7BE35','crash','tea',5.0,'ends the program while it is sent',NULL,1795977927065,1,'processed','thanked','{"tags": {"of": ["ends", "the", "program"], "long": true}}',1795977928408,0,NULL,NULL,NULL,0);
INSERT INTO "feedback" VALUES(15,'cli','r52',X'4DF8D8A9A83E146479F301A2','bob','tea',3.0,'not processed yet',NULL,1795977929044,1,'received',NULL,NULL,NULL,0,NULL,NULL,NULL,0);
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
INSERT INTO "low_rating" VALUES(1,3,'acknowledged',NULL,'[{"at": 1795977848042, "by": "root", "text": "rang them up"}]',NULL,1795977846311,1795977847528,NULL);
INSERT INTO "low_rating" VALUES(2,4,'resolved',NULL,'[]',NULL,1795977846311,NULL,1795977848797);
INSERT INTO "low_rating" VALUES(3,5,'open',NULL,'[]',NULL,1795977846311,NULL,NULL);
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
	error TEXT, receipt TEXT, receipt_at BIGINT, receipt_detail TEXT, 
	CONSTRAINT fk_message_feedback_id FOREIGN KEY(feedback_id) REFERENCES feedback (id), 
	CONSTRAINT uq_message_dedupe_key UNIQUE (dedupe_key)
);
INSERT INTO "message" VALUES(1,'thanks.1.c98731132223','thanks:1','thanks',1,'ada','Ada','chat','ada','de-AT','Thank you for your 5-star rating of tea','Hello Ada,

thank you for rating tea with 5 of 5 stars. It helps us, and it helps
others to choose well.

You wrote:

    lovely tea indeed

We read every word.

Our team
','','sent',1,1795977846311,1795977846311,NULL,NULL,NULL,NULL,1795977846380,'chat','p-thanks.1',NULL,NULL,NULL,NULL);
INSERT INTO "message" VALUES(2,'thanks.2.c98731132223','thanks:2','thanks',2,'bob','Bob','chat','bob','de-AT','Thank you for your 4-star rating of tea','Hello Bob,

thank you for rating tea with 4 of 5 stars. It helps us, and it helps
others to choose well.

Our team
','','sent',1,1795977846311,1795977846311,NULL,NULL,NULL,NULL,1795977846380,'chat','p-thanks.2',NULL,NULL,NULL,NULL);
INSERT INTO "message" VALUES(3,'thanks.6.c98731132223','thanks:6','thanks',6,'later1','Later1','chat','later1','de-AT','Thank you for your 5-star rating of tea','Hello Later1,

thank you for rating tea with 5 of 5 stars. It helps us, and it helps
others to choose well.

You wrote:

    fine

We read every word.

Our team
','','queued',1,1795977846311,1797601868189,NULL,NULL,NULL,NULL,NULL,'chat',NULL,'come back later',NULL,NULL,NULL);
INSERT INTO "message" VALUES(4,'thanks.7.c98731132223','thanks:7','thanks',7,'later2','Later2','chat','later2','de-AT','Thank you for your 5-star rating of tea','Hello Later2,

thank you for rating tea with 5 of 5 stars. It helps us, and it helps
others to choose well.

You wrote:

    fine too

We read every word.

Our team
','','suppressed',0,1795977846311,1795977851981,NULL,NULL,NULL,NULL,1795977853910,'chat',NULL,'the customer opted out',NULL,NULL,NULL);
INSERT INTO "message" VALUES(5,'thanks.8.c98731132223','thanks:8','thanks',8,'never','Never','chat','never','de-AT','Thank you for your 4-star rating of hat','Hello Never,

thank you for rating hat with 4 of 5 stars. It helps us, and it helps
others to choose well.

Our team
','','dead',1,1795977846311,1795977846380,NULL,NULL,NULL,NULL,1795977846380,'chat',NULL,'nobody lives here',NULL,NULL,NULL);
INSERT INTO "message" VALUES(6,'thanks.9.c98731132223','thanks:9','thanks',9,'unknown','Unknown','chat','unknown','de-AT','Thank you for your 3-star rating of hat','Hello Unknown,

thank you for rating hat with 3 of 5 stars. It helps us, and it helps
others to choose well.

You wrote:

    so so

We read every word.

Our team
','','held',1,1795977846311,1795977846381,NULL,NULL,NULL,1795977846381,NULL,'chat',NULL,'who knows',NULL,NULL,NULL);
INSERT INTO "message" VALUES(7,'report.daily.2026-11-28.270130f9.c98731132223','report:daily:2026-11-28:team','report',NULL,NULL,NULL,'chat','team',NULL,'Ratings on 2026-11-28: no ratings','Our team
Ratings on Saturday, 28 November 2026

No ratings arrived.
  The day before: no ratings
  Mean of the 7 days before: no ratings

Messages
  2026-11-28: 0 sent, 0 given up

Right now (2026-11-29 18:44)
  Low ratings open: 1, the oldest since 2026-11-29 18:44
  Messages queued: 1, the oldest since 2026-11-29 18:44
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
<tr><td align="left" style="padding:6px 8px 6px 0;word-break:break-word;font:13px/18px Arial,sans-serif;color:#222;border-bottom:1px solid #ddd;">Low ratings open, the oldest since 2026-11-29 18:44</td>
<td align="right" style="padding:6px 0 6px 8px;font:13px/18px Arial,sans-serif;color:#222;border-bottom:1px solid #ddd;">1</td>
</tr>
<tr><td align="left" style="padding:6px 8px 6px 0;word-break:break-word;font:13px/18px Arial,sans-serif;color:#222;border-bottom:1px solid #ddd;">Messages queued, the oldest since 2026-11-29 18:44</td>
<td align="right" style="padding:6px 0 6px 8px;font:13px/18px Arial,sans-serif;color:#222;border-bottom:1px solid #ddd;">1</td>
</tr>
<tr><td align="left" style="padding:6px 8px 6px 0;word-break:break-word;font:13px/18px Arial,sans-serif;color:#222;border-bottom:1px solid #ddd;">Messages held until someone decides</td>
<td align="right" style="padding:6px 0 6px 8px;font:13px/18px Arial,sans-serif;color:#222;border-bottom:1px solid #ddd;">1</td>
</tr>
<tr><td align="left" style="padding:6px 8px 6px 0;word-break:break-word;font:13px/18px Arial,sans-serif;color:#222;border-bottom:1px solid #ddd;">Messages given up (dead)</td>
<td align="right" style="padding:6px 0 6px 8px;font:13px/18px Arial,sans-serif;color:#222;border-bottom:1px solid #ddd;">1</td>
</tr>
</table></td></tr>
<tr><td class="quiet" style="padding:24px;font:12px/17px Arial,sans-serif;color:#667;">Read at 2026-11-29 18:44. Days and times are those of UTC. The mean of the 7 days before is taken over those that had ratings. Items are ordered by an average that leans towards the day&rsquo;s as long as an item has few ratings.</td></tr>
</table>
<!--[if mso]></td></tr></table><![endif]-->
</td></tr></table>
</body>
</html>
','sent',1,1795977854942,1795977854942,NULL,NULL,NULL,NULL,1795977855226,'chat','p-report.d',NULL,NULL,NULL,NULL);
INSERT INTO "message" VALUES(8,'thanks.12.c98731132223','thanks:12','thanks',12,'ada','Ada','chat','ada','de-AT','Thank you for your 4-star rating of tea','Hello Ada,

thank you for rating tea with 4 of 5 stars. It helps us, and it helps
others to choose well.

You wrote:

    from the feed

We read every word.

Our team
','','sent',1,1795977857778,1795977857778,NULL,NULL,NULL,NULL,1795977857784,'chat','p-thanks.1',NULL,NULL,NULL,NULL);
INSERT INTO "message" VALUES(9,'thanks.14.c98731132223','thanks:14','thanks',14,'crash','Crash','chat','crash','de-AT','Thank you for your 5-star rating of tea','Hello Crash,

thank you for rating tea with 5 of 5 stars. It helps us, and it helps
others to choose well.

You wrote:

    ends the program while it is sent

We read every word.

Our team
','','sending',0,1795977928408,1795977928408,'a77b10604e12ff2f',1795977958421,1795977928422,NULL,NULL,'chat',NULL,NULL,NULL,NULL,NULL);
CREATE TABLE meta (
	"key" TEXT NOT NULL, 
	value TEXT NOT NULL, 
	CONSTRAINT pk_meta PRIMARY KEY ("key")
);
INSERT INTO "meta" VALUES('ledger_id','c98731132223');
INSERT INTO "meta" VALUES('readable_from','0003:0001');
INSERT INTO "meta" VALUES('report_first_date:daily','2026-11-29');
CREATE TABLE rate (
	provider TEXT NOT NULL, 
	next_at BIGINT NOT NULL, 
	CONSTRAINT pk_rate PRIMARY KEY (provider)
);
INSERT INTO "rate" VALUES('chat',1795977927423);
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
INSERT INTO "report_run" VALUES(1,'daily','2026-11-28','UTC',1795977854942,'manual','{"date": "2026-11-28", "timezone": "UTC", "start": "2026-11-28T00:00:00+00:00", "end": "2026-11-29T00:00:00+00:00", "read_at": "2026-11-29T18:44:14+00:00", "ratings": 0, "average": null, "stars": [{"rating": 5.0, "count": 0, "share": 0.0}, {"rating": 4.0, "count": 0, "share": 0.0}, {"rating": 3.0, "count": 0, "share": 0.0}, {"rating": 2.0, "count": 0, "share": 0.0}, {"rating": 1.0, "count": 0, "share": 0.0}], "low_below": 3.0, "low": 0, "low_share": null, "day_before": null, "week_before": null, "lowest_items": [], "low_comments": [], "ended": {}, "history": 0, "open_low": {"count": 1, "oldest_since": "2026-11-29T18:44:06+00:00"}, "deliveries": {"sent": 0, "suppressed": 0, "died": 0, "queued": 1, "sending": 0, "held": 1, "dead": 1, "oldest_waiting_since": "2026-11-29T18:44:06+00:00"}, "facts": [], "complete": true}');
CREATE TABLE source (
	name TEXT NOT NULL, 
	position TEXT, 
	paused_at BIGINT, 
	received BIGINT DEFAULT '0' NOT NULL, 
	received_at BIGINT, 
	CONSTRAINT pk_source PRIMARY KEY (name)
);
INSERT INTO "source" VALUES('feed','2',NULL,2,1795977857766);
CREATE TABLE suppressed_address (
	channel TEXT NOT NULL, 
	address TEXT NOT NULL, 
	reason TEXT NOT NULL, 
	since BIGINT NOT NULL, 
	CONSTRAINT pk_suppressed_address PRIMARY KEY (channel, address)
);
INSERT INTO "suppressed_address" VALUES('chat','never','nobody lives here',1795977846380);
CREATE TABLE tries_by_minute (
	provider TEXT NOT NULL, 
	minute BIGINT NOT NULL, 
	tries BIGINT NOT NULL, 
	CONSTRAINT pk_tries_by_minute PRIMARY KEY (provider, minute)
);
INSERT INTO "tries_by_minute" VALUES('chat',29932964,8);
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
INSERT INTO "sqlite_sequence" VALUES('feedback',15);
INSERT INTO "sqlite_sequence" VALUES('message',9);
COMMIT;
